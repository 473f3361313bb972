package agent

import (
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/VictoriaMetrics/metrics"
)

// A thousand targets count the same few things: what one of them counts is kept as
// numbers alone, and its names are made when somebody reads them.

// tally counts by the value of a label, few of them.
type tally []tallied

type tallied struct {
	value string
	n     float64
}

// add counts; n may be 0 for a value that is to be seen before it occurs.
func (t *tally) add(value string, n float64) {
	for i := range *t {
		if (*t)[i].value == value {
			(*t)[i].n += n
			return
		}
	}
	*t = append(*t, tallied{value, n})
}

// write writes a counter for each value; labels are those of the target.
func (t tally) write(w io.Writer, name, labels, label string) {
	for _, c := range t {
		metrics.WriteCounterFloat64(w, fmt.Sprintf("%s{%s,%s=%q}", name, labels, label, c.value), c.n)
	}
}

// durationBounds are the upper bounds of the buckets of durations, in seconds.
func durationBounds() [11]float64 {
	return [...]float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
}

// durations is a histogram of durations.
type durations struct {
	// within counts those that are in a bucket and in none before it; the last are longer
	// than all bounds.
	within [12]uint32
	sum    time.Duration
}

func (d *durations) add(took time.Duration) {
	bounds := durationBounds()
	i := 0
	for i < len(bounds) && took.Seconds() > bounds[i] {
		i++
	}
	d.within[i]++
	d.sum += took
}

// write writes the histogram; labels are those of the target.
func (d *durations) write(w io.Writer, name, labels string) {
	bounds, n := durationBounds(), uint64(0)
	for i, in := range d.within {
		le := "+Inf"
		if i < len(bounds) {
			le = strconv.FormatFloat(bounds[i], 'g', -1, 64)
		}
		n += uint64(in)
		metrics.WriteCounterUint64(w, fmt.Sprintf("%s_bucket{%s,le=%q}", name, labels, le), n)
	}
	metrics.WriteCounterFloat64(w, fmt.Sprintf("%s_sum{%s}", name, labels), d.sum.Seconds())
	metrics.WriteCounterUint64(w, fmt.Sprintf("%s_count{%s}", name, labels), n)
}
