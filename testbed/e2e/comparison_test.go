package e2e

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/apm-sidecar/apm-sidecar/internal/tx"
	"github.com/apm-sidecar/apm-sidecar/testbed/harness"
)

// stalled is the class of time that a request would have used on a processor but
// for others: the collector's and the run queue's.
const stalled = "stalled"

// smallMs is a time that is not worth comparing.
const smallMs = 20

// comparison counts how well records agree with the truth.
type comparison struct {
	thresholdMs float64
	truths      map[string]harness.Truth
	seen        map[string]bool
	// mixed are records of no request, early those of requests that were faster.
	mixed, early []string
	exact        int
	// unnamed are records of requests that no look saw.
	unnamed int
	// errorsMs are the differences of durations.
	errorsMs []float64
	classes  map[string]*classError
	names    naming
}

// classError sums up the differences of one class.
type classError struct {
	n, within int
	sumMs     float64
	worst     string
	worstMs   float64
}

func newComparison(threshold time.Duration, truths map[string]harness.Truth) *comparison {
	return &comparison{
		thresholdMs: float64(threshold.Milliseconds()), truths: truths, seen: map[string]bool{}, classes: map[string]*classError{},
	}
}

func (c *comparison) add(rec *tx.Record) {
	truth, ok := c.truths[rec.Path]
	if rec.Path == "" { // between two looks: it may be any of them
		c.unnamed++
		return
	}
	if !ok || c.seen[rec.Path] {
		c.mixed = append(c.mixed, fmt.Sprintf("%s %+v %v", rec.Path, rec.Elapsed, rec.Notes))
		return
	}
	c.seen[rec.Path] = true
	// The server's time begins before the application's.
	if truth.TotalMs < 0.8*c.thresholdMs && rec.Elapsed.MinMs >= int64(c.thresholdMs) {
		c.early = append(c.early, fmt.Sprintf("%s %.0f ms: %+v", rec.Path, truth.TotalMs, rec.Elapsed))
	}
	if rec.Elapsed.Certainty == tx.Exact {
		c.exact++
	}
	c.errorsMs = append(c.errorsMs, math.Abs(float64(rec.Elapsed.Ms)-truth.TotalMs))
	c.compareClasses(rec, truth)
	c.names.compare(rec, truth)
}

func (c *comparison) compareClasses(rec *tx.Record, truth harness.Truth) {
	said, bars := map[string]float64{}, map[string]float64{}
	for _, ct := range rec.Classes {
		name := string(ct.Class)
		if ct.Class == tx.ClassGC || ct.Class == tx.ClassRunQueue {
			name = stalled
		}
		said[name] += float64(ct.Ms)
		bars[name] = math.Hypot(bars[name], float64(ct.ErrorMs))
	}
	names := map[string]bool{}
	for name := range said {
		names[name] = true
	}
	for name := range truth.Classes {
		names[name] = true
	}
	for name := range names {
		did, guess := truth.Classes[name], said[name]
		if did < smallMs && guess < smallMs || name == string(tx.ClassUnknown) {
			continue
		}
		bar, known := bars[name]
		if !known {
			bar = float64(rec.HiddenMs)
		}
		off := math.Abs(did - guess)
		e := c.classes[name]
		if e == nil {
			e = &classError{}
			c.classes[name] = e
		}
		e.n++
		e.sumMs += off
		if off <= bar+smallMs {
			e.within++
		}
		if off-bar > e.worstMs {
			e.worstMs = off - bar
			e.worst = fmt.Sprintf("%s: %.0f ms, said %.0f +- %.0f; truth %v, record %+v", rec.Path, did, guess, bar, truth.Classes, rec.Classes)
		}
	}
}

// slow is how many requests were slow, and which of them are not on record.
func (c *comparison) slow() (n int, missed []string) {
	for path, truth := range c.truths {
		if truth.TotalMs >= c.thresholdMs {
			n++
			if !c.seen[path] {
				missed = append(missed, fmt.Sprintf("%s of %.0f ms", path, truth.TotalMs))
			}
		}
	}
	return n, missed
}

func (c *comparison) within() (share float64) {
	n, within := 0, 0
	for _, e := range c.classes {
		n, within = n+e.n, within+e.within
	}
	return float64(within) / float64(max(n, 1))
}

func (c *comparison) String() string {
	var b strings.Builder
	slow, missed := c.slow()
	fmt.Fprintf(&b, "requests %d, slow %d, missed %d (without a name %d), mixed %d, too early %d, durations exact %d of %d\n",
		len(c.truths), slow, len(missed), c.unnamed, len(c.mixed), len(c.early), c.exact, len(c.errorsMs))
	if len(c.errorsMs) > 0 {
		slices.Sort(c.errorsMs)
		fmt.Fprintf(&b, "duration error ms: median %.1f, 99%% %.1f, most %.1f\n",
			c.errorsMs[len(c.errorsMs)/2], c.errorsMs[len(c.errorsMs)*99/100], c.errorsMs[len(c.errorsMs)-1])
	}
	fmt.Fprintf(&b, "class times within their error bars: %.1f%%\n", 100*c.within())
	for _, name := range slices.Sorted(maps.Keys(c.classes)) {
		e := c.classes[name]
		fmt.Fprintf(&b, "  %-10s n %4d, within %5.1f%%, mean error %4.0f ms, worst %s\n", name, e.n, 100*float64(e.within)/float64(e.n), e.sumMs/float64(e.n), e.worst)
	}
	fmt.Fprintln(&b, c.names)
	for _, line := range append(append(missed, c.mixed...), c.early...) {
		fmt.Fprintln(&b, "  !", line)
	}
	return b.String()
}

// assert fails where records and truth disagree. late is the number of looks that were
// too late to be made, within the share of class times that must be within their bars.
func (c *comparison) assert(t *testing.T, late, within float64) {
	t.Helper()
	slow, missed := c.slow()
	assert.Positive(t, slow)
	if late == 0 {
		assert.Empty(t, missed, "every slow request is caught")
	} else {
		// On a machine too busy to look in time the duration alone is on record, or
		// not even that.
		t.Logf("%.0f looks were late", late)
		assert.LessOrEqual(t, len(missed), c.unnamed+slow/3, "slow requests are caught: %v", missed)
	}
	assert.Empty(t, c.mixed, "every record is of one request")
	assert.Empty(t, c.early)
	assert.GreaterOrEqual(t, c.within(), within)
	c.names.assert(t, late)
}
