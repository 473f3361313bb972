package web_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/tx"
	"github.com/apm-sidecar/apm-sidecar/internal/tx/ring"
	"github.com/apm-sidecar/apm-sidecar/testbed/browser"
)

// hostile tries to become markup and script wherever it is shown.
const hostile = `"'></text></svg></title></script><script>window.owned=1</script><img src=http://192.0.2.1/x onerror=window.owned=1>`

// staged are transactions made up for pages: real boards, heat maps and topologies of
// records that a test gives.
type staged struct {
	active  []tx.Active
	records []*tx.Record
}

// longTarget is the name of a pod as clusters give it, and worse.
const longTarget = "shop/checkout-7d9f8b6c5-x2x9q.production.svc.cluster.local:8778" + hostile

func (*staged) targets() []tx.TargetState {
	return []tx.TargetState{
		{Target: "shop/a:8778", State: "following", Sampling: "full", IntervalMs: 1000, ThresholdMs: 3000, InFlight: 2, Notes: []string{}},
		{Target: longTarget, State: "down", Sampling: "off", IntervalMs: 1000, ThresholdMs: 3000, Notes: []string{hostile}},
	}
}

func (s *staged) Active(now time.Time, target string) *tx.Board {
	rows := slices.DeleteFunc(slices.Clone(s.active), func(a tx.Active) bool { return target != "" && a.Target != target })
	return tx.NewBoard(now, s.targets(), rows)
}

func (s *staged) matching(q ring.Query) []tx.Summary {
	found := []tx.Summary{}
	for _, r := range s.records {
		sum := r.Summary()
		ms := time.Duration(sum.ElapsedMs) * time.Millisecond
		if !sum.End.Before(q.From) && (q.To.IsZero() || sum.End.Before(q.To)) && ms >= q.Min && (q.Max == 0 || ms < q.Max) && (q.Class == "" || q.Class == sum.Class) {
			found = append(found, sum)
		}
	}
	return found
}

func (s *staged) List(q ring.Query) ([]tx.Summary, int) {
	found := s.matching(q)
	return found[:min(q.Limit, len(found))], len(found)
}

func (s *staged) Heat(q ring.Query, columns int) *tx.Heat {
	m := tx.NewHeatMap(q.From, q.To, columns)
	for _, sum := range s.matching(q) {
		m.Add(&sum)
	}
	return m.Heat()
}

func (s *staged) Topology(q ring.Query, _ time.Time) *tx.Topology {
	m := tx.NewTopologyMap(q.From, q.To, s.targets())
	for _, sum := range s.matching(q) {
		m.Add(&sum)
	}
	for i := range s.active {
		m.AddActive(&s.active[i])
	}
	return m.Topology()
}

func (s *staged) Record(id string, _ time.Time) (*tx.Record, error) {
	for _, r := range s.records {
		if r.ID == id {
			return r, nil
		}
	}
	return nil, ring.ErrNotFound
}

// stage has fast ones of 4 s and one of 40 s with everything that a record can have.
func stage(now time.Time) *staged {
	s := &staged{active: []tx.Active{
		{ID: "live-1", Target: "shop/a:8778", Route: "/orders/{id}", Method: "GET", ElapsedMs: 9400, Bucket: "8+", Slow: true, Class: tx.ClassLock, Frame: "shop.Orders.find", StuckMs: 5000, Lock: "java.lang.Object@1f", LockOwner: "exec-2", OwnerID: "live-2"},
		{ID: "live-2", Target: "shop/a:8778", Route: "/cart" + hostile, ElapsedMs: 500, Bucket: "0-1", Class: tx.ClassSQL, Frame: hostile, SQL: "select ?" + hostile, Peer: "10.0.0.5:5432"},
	}}
	for i := range 40 {
		class := []tx.Class{tx.ClassSQL, tx.ClassCPU, tx.ClassHTTP, tx.ClassAsync}[i%4]
		s.records = append(s.records, &tx.Record{
			ID: fmt.Sprintf("dot-%d", i), Target: "shop/a:8778", State: tx.StateFinished, Route: "/orders/{id}", Method: "GET",
			Start: now.Add(-time.Duration(i) * 15 * time.Second), Elapsed: tx.Elapsed{Ms: 4000, MinMs: 4000, MaxMs: 4000, Certainty: tx.Exact},
			Class: class, Classes: []tx.ClassTime{{Class: class, Ms: 4000, ErrorMs: 100}},
			Peers: []tx.Peer{{Kind: "database", Address: "10.0.0.5:5432", Ms: 900, ErrorMs: 90, RTTMicros: 240, Evidence: "socket"}},
		})
	}
	frames := func(names ...string) *tx.Node {
		var inner *tx.Node
		for _, name := range slices.Backward(names) {
			n := &tx.Node{Frame: name, Samples: 20, Ms: 20000, App: strings.HasPrefix(name, "shop.")}
			if inner == nil {
				n.Class = tx.ClassSQL
			} else {
				n.Children = []*tx.Node{inner}
			}
			inner = n
		}
		return inner
	}
	root := frames("java.lang.Thread.run", "org.apache.tomcat.A.a", "org.apache.tomcat.B.b", "javax.servlet.http.HttpServlet.service", "shop.Orders.find", "org.postgresql.core.PGStream.receive")
	second := frames("shop.Cart" + hostile)
	second.Ms, second.Class, second.Children = 20000, tx.ClassCPU, nil
	s.records = append(s.records, &tx.Record{
		ID: "big-1", Target: "shop/a:8778", State: tx.StateFailed, Route: "/report/" + hostile, Method: "POST", Path: "/report/7", Thread: hostile, ThreadID: 31,
		Start: now.Add(-6 * time.Minute), Elapsed: tx.Elapsed{Ms: 40000, MinMs: 39000, MaxMs: 41000, Certainty: tx.Bounded}, ThresholdMs: 3000,
		Class: tx.ClassSQL, Classes: []tx.ClassTime{{Class: tx.ClassSQL, Ms: 20000, ErrorMs: 600}, {Class: tx.ClassLock, Ms: 12000, ErrorMs: 500}, {Class: tx.ClassCPU, Ms: 8000, ErrorMs: 300}},
		HiddenMs: 900, Segments: []tx.Segment{{FromMs: 0, ToMs: 20000, Class: tx.ClassSQL, Frame: "shop.Orders.find"}, {FromMs: 20000, ToMs: 32000, Class: tx.ClassLock, Frame: hostile}, {FromMs: 32000, ToMs: 40000, Class: tx.ClassCPU}},
		Samples: 40, SamplesSpared: 12, Stacks: &tx.Node{Frame: "all", Samples: 40, Ms: 40000, Children: []*tx.Node{root, second}},
		Locks: []tx.LockWait{{Lock: "java.lang.Object@1f", FromMs: 20000, ToMs: 32000, Owners: []tx.LockOwner{{Thread: "exec-9", Transaction: "dot-1", Route: "/orders/{id}", Class: tx.ClassHTTP, Stack: []string{"java.net.http.HttpClient.send", hostile}}}}},
		Peers: []tx.Peer{{Kind: "database", Address: "10.0.0.5:5432", Ms: 20000, ErrorMs: 600, RTTMicros: 240, Evidence: "socket"}},
		SQL:   []tx.SQL{{Text: "select * from orders where id = ?" + hostile, Peer: "10.0.0.5:5432", Ms: 20000, ErrorMs: 600, Seen: 20, Evidence: "socket"}},
		Notes: []string{hostile},
		Trace: stagedTrace(),
	})
	return s
}

// stagedTrace has a span of each sort, one that is its own parent's parent, and many short
// ones.
func stagedTrace() *tx.Trace {
	t := &tx.Trace{ID: "5b8efff798038103d269b633813fc60c", Service: "shop" + hostile, JoinedBy: tx.JoinedByThread, Root: "1", LeftOut: 7, Spans: []tx.Span{
		{ID: "1", Parent: "other", Name: "POST /report/{id}" + hostile, Kind: "server", FromUs: 1000, ToUs: 39_999_000, Thread: hostile, ThreadID: 31},
		{ID: "2", Parent: "1", Name: "Orders.find", Kind: "internal", FromUs: 2000, ToUs: 21_000_000},
		{ID: "3", Parent: "2", Name: "SELECT shop", Kind: "client", FromUs: 3000, ToUs: 20_000_000, Class: tx.ClassSQL, SQL: "select * from orders where id = ?" + hostile, Peer: "10.0.0.5:5432", Error: true, ErrorType: hostile},
		{ID: "4", Parent: "5", Name: "loop", Kind: "internal", FromUs: 30_000_000, ToUs: 31_000_000},
		{ID: "5", Parent: "4", Name: "loop", Kind: "internal", FromUs: 30_000_000, ToUs: 31_000_000},
	}}
	for i := range 30 {
		from := int64(32_000_000 + i*200_000)
		t.Spans = append(t.Spans, tx.Span{ID: fmt.Sprint("short-", i), Parent: "1", Name: "GET", Kind: "client", FromUs: from, ToUs: from + 900, Class: tx.ClassHTTP, Peer: "10.0.0.9:80"})
	}
	return t
}

// open shows a page of a server with the staged transactions.
func open(t *testing.T, path string) (*browser.Browser, string) {
	t.Helper()
	opts := options()
	opts.Transactions = stage(time.Now())
	home := serve(t, opts)
	return browser.Open(t, home+path), home
}

// assertSound wants that nothing hostile came alive and nothing sticks out.
func assertSound(t *testing.T, b *browser.Browser, home string) {
	t.Helper()
	assert.True(t, browser.Ask[bool](t, b, `window.owned === undefined`))
	assert.Zero(t, browser.Ask[int](t, b, `document.images.length`))
	assert.LessOrEqual(t, browser.Ask[int](t, b, `document.documentElement.scrollWidth - innerWidth`), 0, "nothing sticks out to the right")
	b.AsPhone(t)
	b.Await(t, `screen.width < 500`)
	assert.LessOrEqual(t, browser.Ask[int](t, b, `document.documentElement.scrollWidth - screen.width`), 0, "nor on a phone")
	b.AssertQuiet(t, home)
}

func TestTransactionsInABrowser(t *testing.T) {
	b, home := open(t, "/transactions")
	const listed = `document.querySelectorAll("#slow tr").length`

	// In flight.
	b.Await(t, `document.querySelectorAll("#active tr").length === 2 && `+listed+` === 25`)
	b.Do(t, chromedp.Click("#slow-more button", chromedp.ByQuery))
	b.Await(t, listed+` === 41`)
	assert.Equal(t, "▲ 9.40 s", browser.Ask[string](t, b, `document.querySelector("#active tr td span").textContent`), "the oldest first, marked as slow")
	assert.Equal(t, "1", browser.Ask[string](t, b, `document.querySelectorAll(".bucket b")[3].textContent`))
	assert.Equal(t, "/transactions/live-2", browser.Ask[string](t, b, `document.querySelector("#active td:nth-child(4) a").getAttribute("href")`), "who has the lock")

	// A box around the long one lists it alone.
	place := browser.Ask[[]float64](t, b, `(() => { document.getElementById("chart").scrollIntoView(); const r = document.querySelector("#chart canvas").getBoundingClientRect(); return [r.x, r.y, r.width, r.height]; })()`)
	x, y, wide := place[0], place[1], place[2]
	b.Do(t,
		chromedp.MouseEvent(input.MousePressed, x+70, y+12, chromedp.ButtonLeft),
		chromedp.MouseEvent(input.MouseMoved, x+wide/2, y+60, chromedp.ButtonLeft),
		chromedp.MouseEvent(input.MouseMoved, x+wide-12, y+100, chromedp.ButtonLeft),
		chromedp.MouseEvent(input.MouseReleased, x+wide-12, y+100, chromedp.ButtonLeft),
	)
	b.Await(t, listed+` === 1`)
	assert.Equal(t, "/transactions/big-1", browser.Ask[string](t, b, `document.querySelector("#slow a").getAttribute("href")`))
	assert.Greater(t, browser.Ask[float64](t, b, `Number(document.getElementById("box-min").value)`), 4.0, "the form has the box")

	// The form does the same without a mouse, and undoes it.
	b.Do(t, chromedp.Click(`#box [type=reset]`, chromedp.ByQuery))
	b.Await(t, listed+` === 25`)
	b.Do(t, chromedp.SendKeys("#box-min", "30"+kb.Enter, chromedp.ByQuery))
	b.Await(t, listed+` === 1`)
	b.Do(t, chromedp.Click(`#box [type=reset]`, chromedp.ByQuery))

	// One class, then the heat map, both kept in the address.
	b.Do(t, chromedp.Click(`#legend button:nth-child(1)`, chromedp.ByQuery))
	b.Await(t, listed+` === 10 && location.search.includes("class=cpu")`)
	b.Do(t, chromedp.Click(`#legend button:nth-child(1)`, chromedp.ByQuery), chromedp.Click(`[data-view=heat]`, chromedp.ByQuery))
	b.Await(t, listed+` === 25 && location.search === "?view=heat" && document.querySelector("#chart canvas").getAttribute("aria-label").startsWith("heat map of 41")`)

	// A target for both halves; it has nothing in flight.
	b.Do(t, chromedp.SetValue("#target", longTarget, chromedp.ByQuery))
	browser.Ask[any](t, b, `document.getElementById("target").dispatchEvent(new Event("change"))`)
	b.Await(t, `!document.getElementById("active-none").hidden`)
	assertSound(t, b, home)
}

func TestRecordInABrowser(t *testing.T) {
	b, home := open(t, "/transactions/big-1")
	b.Await(t, `!document.getElementById("record").hidden`)
	assert.Equal(t, "POST /report/"+hostile, browser.Ask[string](t, b, `document.getElementById("title").textContent`))
	assert.Contains(t, browser.Ask[string](t, b, `document.getElementById("lead").textContent`), "40.0 s ✗ failed with status 400 or more · between 39.0 s and 41.0 s")
	assert.Equal(t, 3, browser.Ask[int](t, b, `document.querySelectorAll(".axis svg .block").length`))
	assert.Equal(t, "19,400 ms to 20,600 ms", browser.Ask[string](t, b, `document.querySelector("#classes .whiskered").getAttribute("aria-label")`))
	assert.Equal(t, "/transactions/dot-1", browser.Ask[string](t, b, `document.querySelector("#locks a").getAttribute("href")`))
	assert.Contains(t, browser.Ask[string](t, b, `document.querySelector("#peers tbody").textContent`), "240 µs")

	// Spans are a tree; the short ones come when they are wanted.
	const rows = `document.querySelectorAll("#spans tbody tr")`
	assert.Equal(t, 5, browser.Ask[int](t, b, rows+`.length`))
	assert.Equal(t, 3, browser.Ask[int](t, b, `document.querySelectorAll("#spans .depth-0").length`), "the request's own, and the two that say to be below each other")
	assert.Contains(t, browser.Ask[string](t, b, `document.getElementById("spans-count").textContent`), "42 spans of shop")
	b.Do(t, chromedp.Click("#every-span", chromedp.ByQuery))
	b.Await(t, rows+`.length === 35`)

	// The container's calls are one box until all are wanted; keys walk and enlarge.
	const boxes = `document.querySelectorAll("#flame .box")`
	assert.Equal(t, 5, browser.Ask[int](t, b, boxes+`.length`))
	b.Do(t, chromedp.Click("#every", chromedp.ByQuery))
	b.Await(t, boxes+`.length === 8`)
	b.Do(t, chromedp.Focus(`#flame [tabindex="0"]`, chromedp.ByQuery), chromedp.KeyEvent(kb.ArrowDown))
	b.Await(t, `document.getElementById("frame").textContent.startsWith("java.lang.Thread.run")`)
	b.Do(t, chromedp.KeyEvent(kb.Enter))
	b.Await(t, `document.activeElement.getAttribute("width") === "100%" && `+boxes+`.length === 7`)
	assertSound(t, b, home)

	b.Do(t, chromedp.Navigate(home+"/transactions/none"))
	b.Await(t, `document.getElementById("trouble").textContent.includes("no such transaction")`)
}

func TestTopologyInABrowser(t *testing.T) {
	b, home := open(t, "/topology")
	b.Await(t, `document.querySelectorAll("#edges tr").length > 0`)
	worst := browser.Ask[string](t, b, `document.querySelector("#map .tag.worst title").textContent`)
	assert.True(t, strings.HasPrefix(worst, "shop/a:8778 → 10.0.0.5:5432\n▶ "), worst)
	assert.Contains(t, worst, "net 240 µs")
	assert.Contains(t, worst, "1 waiting now")
	assert.Equal(t, 2, browser.Ask[int](t, b, `document.querySelectorAll("#servers tr").length`))
	assert.Contains(t, browser.Ask[string](t, b, `document.getElementById("edges").textContent`), "an HTTP server (address not seen)")
	assertSound(t, b, home)
}

// The pages look the same: all have the stylesheet, the theme, and the way to each other.
func TestPagesInABrowser(t *testing.T) {
	b, home := open(t, "/")
	const paper = `getComputedStyle(document.body).backgroundColor`
	b.Do(t, chromedp.Click("#theme", chromedp.ByQuery))
	light := browser.Ask[string](t, b, paper)
	b.Do(t, chromedp.Click("#theme", chromedp.ByQuery))
	dark := browser.Ask[string](t, b, paper)
	assert.NotEqual(t, light, dark)
	b.Do(t, chromedp.Navigate(home+"/topology"))
	assert.Equal(t, dark, browser.Ask[string](t, b, paper), "the choice stays")
	assert.Equal(t, "Topology", browser.Ask[string](t, b, `document.querySelector("[aria-current]").textContent`))
	b.AssertQuiet(t, home)
}

// The page knows every class.
func TestClassesOfPages(t *testing.T) {
	home := serve(t, options())
	_, script := get(t, home+"/assets/classes.js")
	_, style := get(t, home+"/assets/base.css")
	for _, c := range tx.Classes() {
		assert.Contains(t, script, "\n  "+string(c)+": {")
		assert.Contains(t, style, "--c-"+string(c)+": ")
	}
	require.NotEmpty(t, script)
}

// Tables are whole on a phone: what is beside the screen nobody looks for.
func TestATargetOnAPhone(t *testing.T) {
	home := serve(t, filling())
	b := browser.Open(t, home+"/target?name=shop%2Fa%26b%3A1")
	assert.Equal(t, 4, browser.Ask[int](t, b, `document.querySelectorAll(".wide").length`))
	assertSound(t, b, home)
	assert.LessOrEqual(t, browser.Ask[int](t, b, `Math.max(...[...document.querySelectorAll(".wide")].map((e) => e.scrollWidth - e.clientWidth))`), 0)
}

// Hundreds of quick requests in flight don't push the slow ones out of sight.
func TestManyInFlightInABrowser(t *testing.T) {
	opts := options()
	many := &staged{}
	for i := range 40 {
		many.active = append(many.active, tx.Active{ID: fmt.Sprint("t", i), Target: "shop/a:8778", Route: "/orders/{id}", ElapsedMs: int64(9000 - 200*i), Slow: i < 20, Bucket: "1-3"})
	}
	opts.Transactions = many
	home := serve(t, opts)
	b := browser.Open(t, home+"/transactions")
	const rows = `document.querySelectorAll("#active tr").length`
	b.Await(t, rows+` === 20 && document.getElementById("active-rest").textContent.includes("20 more")`)
	b.Do(t, chromedp.Click("#active-all", chromedp.ByQuery))
	b.Await(t, rows+` === 40`)
	assertSound(t, b, home)
}
