package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
)

// page renders a report as HTML.
func page(t *testing.T, r *Report) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, HTML(&b, r))
	return b.String()
}

// elements counts the elements of a page, and fails where it is not well-formed.
func elements(t *testing.T, html string) map[string]int {
	t.Helper()
	html = regexp.MustCompile(`(?s)<(style|script)>.*?</(style|script)>`).ReplaceAllString(html, "")
	html = regexp.MustCompile(`<(meta|link|input|br)\b([^>]*)>`).ReplaceAllString(html, "<$1$2/>")
	html = strings.NewReplacer(" hidden>", ` hidden="">`, " open>", ` open="">`).Replace(html)
	d := xml.NewDecoder(strings.NewReader(html))
	counts := map[string]int{}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return counts
		}
		require.NoError(t, err, "near %.200s", html[max(0, d.InputOffset()-100):])
		if start, ok := token.(xml.StartElement); ok {
			counts[start.Name.Local]++
			for _, a := range start.Attr {
				assert.False(t, strings.HasPrefix(strings.ToLower(a.Name.Local), "on"), "%s has a handler", start.Name.Local)
				assert.NotEqual(t, "style", a.Name.Local, "the policy forbids style attributes")
			}
		}
	}
}

func TestHTMLTellsTheCase(t *testing.T) {
	html := page(t, seedReport())
	elements(t, html)
	assert.Equal(t, 1, strings.Count(html, "<script"))
	assert.Less(t, strings.Index(html, "30,000 closed Jdbc3gPreparedStatement"), strings.Index(html, "What keeps the memory</h2>"), "the verdict comes first")
	for _, want := range []string{
		"CRITICAL", "What to do:", "registered, held", "thread &#34;Timer-0&#34;", "AbstractJdbc2Statement$1 ×30,000", "t-cancelled",
		"49 min 59 s after the dump", `id="histogram"`, "com.acme.Order$Line", "What would refute it:",
	} {
		assert.Contains(t, html, want)
	}
	assert.NotRegexp(t, `(src|href)="(https?:)?//|url\(["']?(https?:)?//|@import`, html, "nothing comes from elsewhere")
	assert.Equal(t, html, page(t, seedReport()), "the same report gives the same page")
}

func TestHTMLOfOtherReports(t *testing.T) {
	assert.Contains(t, page(t, healthyReport()), "No problem found.")
	partial := page(t, truncatedReport())
	assert.Contains(t, partial, "Partial:")
	assert.Contains(t, partial, "offset 30000001")
	counted := page(t, histogramReport())
	assert.Contains(t, counted, "No verdict.")
	assert.NotContains(t, counted, `id="finalizers"`)
	elements(t, page(t, &Report{}))
}

// Names of a dump try to become markup, script or a link, in every string there is.
func TestHTMLOfHostileNames(t *testing.T) {
	r := rewritten(seedReport(), func(s string) string {
		return `</title></script><script>alert(1)</script><img src=x onerror=alert(1)>"'` + "`{{.}}javascript:\x1b[31m\u202e" + s
	})
	r.Findings[0].Severity = seedReport().Findings[0].Severity
	html := page(t, r)
	hostile, seed := elements(t, html), elements(t, page(t, seedReport()))
	assert.Equal(t, 1, strings.Count(html, "<script"))
	assert.Zero(t, hostile["img"])
	assert.Equal(t, seed["h1"], hostile["h1"])
	assert.NotContains(t, html, "\x1b")
	assert.NotContains(t, html, "\u202e")
}

// The biggest lists of the longest names still fit.
func TestHTMLIsBounded(t *testing.T) {
	long := strings.Repeat(`<"&'>`, 250)
	r := rewritten(seedReport(), func(s string) string { return s + long })
	for i := range 1200 {
		r.Histogram = append(r.Histogram, ClassRow{Class: fmt.Sprintf("com.acme.C%d%s", i, long), ShallowBytes: 1})
		r.DominatorTree = append(r.DominatorTree, DominatorNode{Depth: i % 900, Class: long, RetainedBytes: 1 << 20, Objects: 2})
		r.Dominators = append(r.Dominators, r.Dominators[0])
		if i%10 == 0 {
			r.Findings = append(r.Findings, r.Findings[0])
			r.Schedulers = append(r.Schedulers, r.Schedulers[0])
			r.Finalizers.Classes = append(r.Finalizers.Classes, r.Finalizers.Classes[0])
		}
		r.Warnings = append(r.Warnings, Warning{Code: long, Message: long})
	}
	html := page(t, r)
	assert.LessOrEqual(t, len(html), maxPageBytes)
	assert.Contains(t, html, "more classes that the report leaves out")
	elements(t, html)
}

// A saved report can hold numbers that no heap has.
func TestHTMLOfImpossibleNumbers(t *testing.T) {
	for _, n := range []int64{math.MinInt64, -1, 0, math.MaxInt64} {
		r := seedReport()
		for i := range r.Histogram {
			r.Histogram[i].ShallowBytes = n
		}
		for i := range r.DominatorTree {
			r.DominatorTree[i].Depth, r.DominatorTree[i].RetainedBytes = int(n>>1)+i, n
		}
		r.Heap.ShallowBytes, r.Heap.ReachableBytes = n, &n
		r.Finalizers.Total, r.Finalizers.States.RegisteredHeld = n, n
		r.Finalizers.Classes[0].Paths[0].Objects = n
		r.Schedulers[0].Due[0].Count, r.Schedulers[0].Due[2].From = n, "9999-12-31T23:59:59Z"
		r.Schedulers = append(r.Schedulers, finding.Scheduler{Due: []finding.DueCount{{From: "x"}, {From: "y"}}})
		html := page(t, r)
		elements(t, html)
		assert.NotContains(t, html, "NaN")
		assert.NotRegexp(t, ` (width|height)="-`, html)
	}
}

// What the tiles of a map cover is the whole of it, without gaps or overlaps.
func TestTilesFillTheMap(t *testing.T) {
	var tiles []tile
	for i := range 30 {
		tiles = append(tiles, tile{bytes: int64(1 + i*i), label: "x"})
	}
	var sum float64
	for _, b := range drawTiles(tiles, "").Boxes {
		var w, h, x, y float64
		for text, to := range map[string]*float64{b.W: &w, b.H: &h, b.X: &x, b.Y: &y} {
			_, err := fmt.Sscanf(text, "%f%%", to)
			require.NoError(t, err)
		}
		assert.LessOrEqual(t, x+w, 100.01)
		assert.LessOrEqual(t, y+h, 100.01)
		sum += w * h
	}
	assert.InDelta(t, 10_000, sum, 100)
}
