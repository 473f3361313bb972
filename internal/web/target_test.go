package web_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/internal/web"
)

// filling is a target with what was noted of it.
func filling() web.Options {
	pending := int64(0)
	histogram := []jvm.ClassUsage{{Class: "a.<Statement>", Objects: 64_725, Bytes: 8 << 20}}
	for range 12 {
		histogram = append(histogram, jvm.ClassUsage{Class: "a.Other", Objects: 7, Bytes: 1})
	}
	opts := options()
	opts.Targets = func() []web.Target {
		return []web.Target{{Name: "shop/a&b:1", URL: "http://a:1/jolokia/", State: "down", Error: "nobody answers", Missing: []string{"java.lang:type=X"}, Polls: 3, Failures: 1}}
	}
	opts.Evidence = func() map[string][]jvm.Evidence {
		return map[string][]jvm.Evidence{"shop/a&b:1": {
			{Time: time.Unix(0, 0), Reason: "the first", HistogramNote: "too dear",
				Thread: &jvm.FinalizerEvidence{State: "blocked", StuckSeconds: 61, LockClass: "a.Lock", Owner: "http-1", Stack: []string{"a.Conn.close:7"}, OwnerStack: []string{"a.Socket.read"}}},
			{Time: time.Unix(60, 0), Reason: "the second", Thread: &jvm.FinalizerEvidence{State: "working", StuckSeconds: 62}, Pending: &pending, OldAfterGCRatio: 0.75, Finalizers: 64_734, Suspicion: "a timer seems to hold them",
				Histogram: histogram, Registered: []jvm.RegisteredClass{{Class: "a.Conn", Objects: 5, Run: 1000}}, Queue: []jvm.ClassCount{{Class: "a.Queued", Count: 9}}},
		}}
	}
	return opts
}

// TestEvidence: the page of a target shows what was noted while its heap filled, the
// latest first.
func TestEvidence(t *testing.T) {
	url := serve(t, filling())
	_, list := get(t, url+"/targets")
	assert.Contains(t, list, `href="/target?name=shop%2Fa%26b%3A1"`)

	resp, page := get(t, url+"/target?name=shop%2Fa%26b%3A1")
	assert.Equal(t, http.StatusOK, resp.StatusCode)
	for _, want := range []string{
		"✗ down", "nobody answers", "java.lang:type=X", "⚠ a timer seems to hold them", "<b>64,734</b> Finalizers", "0 objects wait", "75 % of the old region",
		"a.&lt;Statement&gt;", "64,725", "8.00 MiB", "3 more classes", "a.Conn", "1,000", "a.Queued", "No class histogram: too dear",
		"was in a finalize(), in the same place for 1 min 2 s<",
		"was blocked, in the same place for 1 min 1 s, waiting for a.Lock of thread http-1", "a.Conn.close:7", "a.Socket.read", "1970-01-01 00:01:00 UTC",
	} {
		assert.Contains(t, page, want)
	}
	assert.Less(t, strings.Index(page, "the second"), strings.Index(page, "the first"))

	resp, _ = get(t, url+"/target?name=other")
	assert.Equal(t, http.StatusNotFound, resp.StatusCode)

	_, body := get(t, url+"/api/evidence")
	assert.Contains(t, body, `"shop/a\u0026b:1":[{"time"`)
}

// TestARecoveredTarget: what the last error was is still shown.
func TestARecoveredTarget(t *testing.T) {
	opts := filling()
	opts.Targets = func() []web.Target {
		return []web.Target{{Name: "shop/a&b:1", State: "up", LastError: "nobody <answered>", LastErrorAt: time.Now().Add(-time.Hour), Missing: []string{}, Polls: 3, Failures: 1}}
	}
	url := serve(t, opts)
	for _, path := range []string{"/targets", "/target?name=shop%2Fa%26b%3A1"} {
		_, page := get(t, url+path)
		assert.Regexp(t, `1 h[^<]* ago: nobody &lt;answered&gt;`, page, path)
	}
	_, body := get(t, url+"/api/targets")
	assert.Contains(t, body, `"error":"","reason":"","last_error":"nobody \u003canswered\u003e","last_error_at":"`)
}

// TestTargetsThatAreDownComeFirst on the page; programs get them by name.
func TestTargetsThatAreDownComeFirst(t *testing.T) {
	opts := options()
	opts.Targets = func() []web.Target {
		return []web.Target{{Name: "a:1", State: "up"}, {Name: "b:1", State: "down"}, {Name: "c:1", State: "new"}, {Name: "d:1", State: "up"}, {Name: "e:1", State: "down"}}
	}
	url := serve(t, opts)
	var order []string
	_, page := get(t, url+"/targets")
	for _, m := range regexp.MustCompile(`name=(\w)%3A1`).FindAllStringSubmatch(page, -1) {
		order = append(order, m[1])
	}
	assert.Equal(t, []string{"b", "e", "c", "a", "d"}, order)
	_, body := get(t, url+"/api/targets")
	assert.Regexp(t, `a:1.*b:1.*c:1.*d:1.*e:1`, body)
}

func TestATargetWithoutEvidence(t *testing.T) {
	opts := filling()
	opts.Evidence = nil
	_, page := get(t, serve(t, opts)+"/target?name=shop%2Fa%26b%3A1")
	assert.Contains(t, page, "Nothing yet")
}
