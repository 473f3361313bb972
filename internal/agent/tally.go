package agent

import (
	"strconv"
	"time"
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

// write writes a counter for each value.
func (t tally) write(to *exposition, name, label string) {
	for _, c := range t {
		to.add(name, label, c.value, c.n)
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

// write writes the histogram.
func (d *durations) write(to *exposition, name string) {
	bounds, buckets, n := durationBounds(), name+"_bucket", uint64(0)
	for i, in := range d.within {
		le := "+Inf"
		if i < len(bounds) {
			le = strconv.FormatFloat(bounds[i], 'g', -1, 64)
		}
		n += uint64(in)
		to.add(buckets, "le", le, float64(n))
	}
	to.add(name+"_sum", "", "", d.sum.Seconds())
	to.add(name+"_count", "", "", float64(n))
}
