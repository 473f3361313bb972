package series_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

// gcPoll is a snapshot of a JVM with one collector of each phase.
func gcPoll(startMs, uptimeMs, pauseMs, concurrentMs int64) *jvm.Snapshot {
	return &jvm.Snapshot{
		Time:    at(),
		Runtime: &jvm.Runtime{StartMs: jvm.Some(startMs), UptimeMs: jvm.Some(uptimeMs)},
		GCs: []jvm.GC{
			{Name: "p", Phase: jvm.PhasePause, TimeMs: jvm.Some(pauseMs)},
			{Name: "c", Phase: jvm.PhaseConcurrent, TimeMs: jvm.Some(concurrentMs)},
		},
	}
}

// ratios are the pressure samples of a snapshot.
func ratios(d *series.Deriver, s *jvm.Snapshot) []string {
	var out []string
	for _, s := range texts(d.Derive(s)) {
		if rest, ok := strings.CutPrefix(s, "jvm_gc_pressure_ratio"); ok {
			out = append(out, rest)
		}
	}
	return out
}

func TestPressureByPhase(t *testing.T) {
	t.Parallel()
	d := series.NewDeriver(series.Options{})
	assert.Empty(t, ratios(d, gcPoll(1, 10_000, 100, 0)))
	assert.Equal(t, []string{"{phase=pause,window=poll} 0.25", "{phase=concurrent,window=poll} 0.5"},
		ratios(d, gcPoll(1, 20_000, 2_600, 5_000)))
	assert.Equal(t, []string{"{phase=pause,window=poll} 0", "{phase=concurrent,window=poll} 1"},
		ratios(d, gcPoll(1, 21_000, 2_600, 9_000)), "several collectors at once are not more than all the time")
}

func TestPressureAfterARestart(t *testing.T) {
	t.Parallel()
	for name, next := range map[string]*jvm.Snapshot{
		"another start":    gcPoll(2, 30_000, 9_000, 9_000),
		"uptime went back": gcPoll(1, 5_000, 9_000, 9_000),
		"counter fell":     gcPoll(1, 30_000, 50, 9_000),
		"the other fell":   gcPoll(1, 30_000, 9_000, 50),
		"same instant":     gcPoll(1, 20_000, 100, 100),
		"no time between":  gcPoll(1, 20_000, 200, 100),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := series.NewDeriver(series.Options{})
			ratios(d, gcPoll(1, 20_000, 100, 100))
			assert.Empty(t, ratios(d, next), "no difference across a restart")
		})
	}
	d := series.NewDeriver(series.Options{})
	ratios(d, gcPoll(1, 20_000, 100, 100))
	ratios(d, gcPoll(2, 1_000, 0, 0))
	assert.Equal(t, []string{"{phase=pause,window=poll} 0.1", "{phase=concurrent,window=poll} 0"}, ratios(d, gcPoll(2, 2_000, 100, 0)))
}

func TestPressureUnknown(t *testing.T) {
	t.Parallel()
	d := series.NewDeriver(series.Options{})
	ratios(d, gcPoll(1, 20_000, 100, 100))
	s := gcPoll(1, 30_000, 200, 200)
	s.GCs[0].TimeMs = jvm.Opt[int64]{}
	assert.Empty(t, ratios(d, s), "a collector that hides its time")
	s = gcPoll(1, 30_000, 200, 200)
	s.Runtime = nil
	assert.Empty(t, ratios(d, s))
	assert.Equal(t, []string{"{phase=pause,window=poll} 0.005", "{phase=concurrent,window=poll} 0.005"},
		ratios(d, gcPoll(1, 40_000, 200, 200)), "the gap is bridged")
}

// TestPressureWindows: a window is reported once the history covers it, and it
// covers at least its own length.
func TestPressureWindows(t *testing.T) {
	t.Parallel()
	d := series.NewDeriver(series.Options{})
	// 10 s polls; all pause happens in the first ten seconds of each minute.
	pause := int64(0)
	windows := map[string]int{}
	for i := int64(0); i <= 60; i++ {
		if i%6 == 1 {
			pause += 6_000
		}
		for _, r := range ratios(d, gcPoll(1, 1000+i*10_000, pause, 0)) {
			if !strings.HasPrefix(r, "{phase=pause") {
				continue
			}
			window, value, _ := strings.Cut(strings.TrimPrefix(r, "{phase=pause,window="), "} ")
			windows[window]++
			switch window {
			case "1m":
				assert.Equal(t, "0.1", value, "poll %d", i)
				assert.GreaterOrEqual(t, i, int64(6))
			case "5m":
				assert.Equal(t, "0.1", value, "poll %d", i)
				assert.GreaterOrEqual(t, i, int64(30))
			}
		}
	}
	assert.Equal(t, map[string]int{"poll": 60, "1m": 55, "5m": 31}, windows)
}

// A share over a gap is that of the gap, not of the window.
func TestPressureOverAGap(t *testing.T) {
	t.Parallel()
	d := series.NewDeriver(series.Options{})
	windows := func(uptimeMs, pauseMs int64) string {
		var out []string
		for _, r := range ratios(d, gcPoll(1, uptimeMs, pauseMs, 0)) {
			if rest, ok := strings.CutPrefix(r, "{phase=pause,window="); ok {
				out = append(out, rest)
			}
		}
		return strings.Join(out, ", ")
	}
	for at := int64(1_000); at <= 301_000; at += 30_000 {
		windows(at, 0)
	}
	assert.Equal(t, "poll} 0.5, 1m} NaN, 5m} NaN", windows(1_201_000, 450_000), "fifteen minutes without an answer: the windows end")
	assert.Equal(t, "poll} 0", windows(1_231_000, 450_000))
	assert.Equal(t, "poll} 0, 1m} 0", windows(1_261_000, 450_000))
}
