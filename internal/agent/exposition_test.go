package agent

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

func TestExposition(t *testing.T) {
	t.Parallel()
	e := exposition{labels: `job="jvm"`}
	e.add("a_total", "", "", 0)
	e.add("a_total", "reason", "a \"word\"\n", 1_234_567_890_123)
	e.add("b", "le", "+Inf", 0.25)
	e.add("b", "", "", 1e300)
	e.add("b", "", "", math.NaN())
	e.add("b", "", "", math.Inf(1))
	assert.Equal(t, `a_total{job="jvm"} 0
a_total{job="jvm",reason="a \"word\"\n"} 1234567890123
b{job="jvm",le="+Inf"} 0.25
b{job="jvm"} 1e+300
b{job="jvm"} NaN
b{job="jvm"} +Inf
`, string(e.text))
}

func TestHistogramOfDurations(t *testing.T) {
	t.Parallel()
	var d durations
	d.add(5 * time.Millisecond)
	d.add(70 * time.Millisecond)
	d.add(time.Minute)
	e := exposition{labels: `job="jvm"`}
	d.write(&e, "x_seconds")
	assert.Equal(t, `x_seconds_bucket{job="jvm",le="0.005"} 1
x_seconds_bucket{job="jvm",le="0.01"} 1
x_seconds_bucket{job="jvm",le="0.025"} 1
x_seconds_bucket{job="jvm",le="0.05"} 1
x_seconds_bucket{job="jvm",le="0.1"} 2
x_seconds_bucket{job="jvm",le="0.25"} 2
x_seconds_bucket{job="jvm",le="0.5"} 2
x_seconds_bucket{job="jvm",le="1"} 2
x_seconds_bucket{job="jvm",le="2.5"} 2
x_seconds_bucket{job="jvm",le="5"} 2
x_seconds_bucket{job="jvm",le="10"} 2
x_seconds_bucket{job="jvm",le="+Inf"} 3
x_seconds_sum{job="jvm"} 60.075
x_seconds_count{job="jvm"} 3
`, string(e.text))
}

// BenchmarkExposition writes a target's own metrics.
func BenchmarkExposition(b *testing.B) {
	m := newSelfMetrics(jvm.Target{Job: "jvm", Instance: "jvm-1:8778"})
	m.polled(time.Millisecond, "", 0)
	m.tierAsked(tierDetails, time.Millisecond)
	m.handed(97, false)
	var e exposition
	b.ReportAllocs()
	for b.Loop() {
		e.text = e.text[:0]
		m.write(&e)
	}
}
