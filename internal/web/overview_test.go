package web_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/apm-sidecar/apm-sidecar/internal/tx"
	"github.com/apm-sidecar/apm-sidecar/internal/web"
)

// listed are alerts that are given.
type listed struct {
	oneAlert
	alerts []web.Alert
	faults []string
}

func (l *listed) List() []web.Alert { return l.alerts }

func (l *listed) Faults() []string { return l.faults }

// nobodyFollowed are transactions of targets that are all down.
type nobodyFollowed struct{ *staged }

func (n nobodyFollowed) Active(now time.Time, _ string) *tx.Board {
	return tx.NewBoard(now, []tx.TargetState{{Target: "shop/a:1", State: "down"}}, nil)
}

// dumpReport is the folder of one report.
func dumpReport() fstest.MapFS {
	return fstest.MapFS{"shop-a_1-20261123T121209Z.report.html": {
		Data: []byte("<title>CRITICAL: 7 tasks held · /dump</title>"), ModTime: time.Now().Add(-time.Minute),
	}}
}

// The first page says first what is the matter: who opens it at night looks no further.
func TestTheOverviewSaysWhatIsTheMatter(t *testing.T) {
	now := time.Now()
	opts := options()
	alerts := &listed{faults: []string{"receiver hook: status 502"}, alerts: []web.Alert{
		{ID: "w", Name: "SlowTransactions", Severity: "warning", State: "active", Summary: "<i>slow</i>", Since: now.Add(-90 * time.Second)},
		{ID: "c", Name: "TargetDown", Severity: "critical", State: "active", Summary: "shop a:1 does not answer", Since: now.Add(-time.Minute)},
		{ID: "k", Name: "HeapFull", State: "acknowledged", Since: now}, {ID: "p", Name: "Pending", State: "pending", Since: now}, {ID: "e", Name: "Ended", State: "completed", Since: now},
	}}
	opts.Alerts = alerts
	targets := []web.Target{{Name: "shop/a:1", State: "down"}, {Name: "shop/b:1", State: "up"}, {Name: "shop/c:1", State: "new"}}
	opts.Targets = func() []web.Target { return targets }
	staged := &staged{active: []tx.Active{
		{ID: "1", Target: "shop/b:1", Route: "/orders/{id}", ElapsedMs: 45_000, Slow: true, Bucket: "8+"}, {ID: "2", Target: "shop/b:1", ElapsedMs: 10, Bucket: "0-1"},
	}}
	opts.Transactions = staged
	opts.Reports = dumpReport()
	home := serve(t, opts)
	_, page := get(t, home+"/")
	for _, want := range []string{
		"✗ receiver hook: status 502",
		`<a class="bad" href="/alerts#c">✗ TargetDown, critical, for 1 min: shop a:1 does not answer</a>`,
		`<a class="warn" href="/alerts#w">✗ SlowTransactions, warning, for 1 min 30 s: &lt;i&gt;slow&lt;/i&gt;</a>`,
		"◐ 1 alert acknowledged", "✗ 1 of 3 targets down: shop/a:1",
		"▲ slow in flight: 1 of 2 requests, the oldest for 45 s: /orders/{id} of shop/b:1",
		`<a class="soft" href="/reports/shop-a_1-20261123T121209Z.report.html">newest heap dump, 1 min ago: CRITICAL: 7 tasks held</a>`,
	} {
		assert.Contains(t, page, want)
	}
	assert.Less(t, strings.Index(page, "TargetDown"), strings.Index(page, "SlowTransactions"), "what is critical comes first")
	assert.Less(t, strings.Index(page, "TargetDown"), strings.Index(page, `class="cards"`))
	assert.NotContains(t, page, "Pending")
	assert.NotContains(t, page, "Ended")

	alerts.alerts, alerts.faults, targets, staged.active = nil, nil, targets[1:2], staged.active[1:]
	_, page = get(t, home+"/")
	for _, want := range []string{"✓ no alert", "✓ 1 target up", "✓ 1 request in flight, none slow"} {
		assert.Contains(t, page, want)
	}
	assert.NotContains(t, page, "✗")

	opts.Transactions = nobodyFollowed{staged}
	_, page = get(t, serve(t, opts)+"/")
	assert.Contains(t, page, "… requests of no target are followed now", "none slow would be no news")

	targets = nil
	for i := range 12 {
		targets = append(targets, web.Target{Name: fmt.Sprint("t", i), State: "down"})
		alerts.alerts = append(alerts.alerts, web.Alert{ID: fmt.Sprint(i), Name: "TargetDown", State: "active", Since: now})
	}
	_, page = get(t, home+"/")
	assert.Contains(t, page, "12 of 12 targets down: t0, t1, t2 and 9 more")
	assert.Contains(t, page, "and 4 more alerts")
}

// The page of a JVM has what there is about it, and nothing about another one.
func TestTheTargetsPageHasItsAlertsAndDumps(t *testing.T) {
	opts := options()
	label := func(job, instance string) map[string]string {
		return map[string]string{"job": job, "instance": instance}
	}
	opts.Alerts = &listed{alerts: []web.Alert{
		{ID: "a", Name: "OldRegionFilling", State: "active", Severity: "critical", Summary: "95 %", Labels: label("shop", "a:1"), Since: time.Now()},
		{ID: "b", Name: "Others", State: "active", Labels: label("shop", "a:12"), Since: time.Now()},
		{ID: "c", Name: "Over", State: "completed", Labels: label("shop", "a:1"), Since: time.Now()},
	}}
	opts.Targets = func() []web.Target {
		return []web.Target{{Name: "shop/a:1", Files: `^shop-a_1-\d+T\d+Z`, State: "up"}, {Name: "shop/a:12", Files: `^shop-a_12-\d+T\d+Z`, State: "up"}, {Name: "shop/a", Files: `^shop-a-\d+T\d+Z`, State: "up"}}
	}
	opts.Reports = dumpReport()
	home := serve(t, opts)
	_, page := get(t, home+"/target?name=shop/a:1")
	assert.Contains(t, page, `href="/alerts#a">OldRegionFilling, critical, active for`)
	assert.Contains(t, page, `href="/reports/shop-a_1-20261123T121209Z.report.html">CRITICAL: 7 tasks held`)
	assert.NotContains(t, page, "Others")
	assert.NotContains(t, page, "Over,")
	for _, other := range []string{"shop/a:12", "shop/a"} {
		_, page = get(t, home+"/target?name="+other)
		assert.NotContains(t, page, "CRITICAL", other)
	}
}
