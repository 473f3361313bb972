package series

import (
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

const (
	// trendSlots is how many points the trend is drawn through at most, minTrend
	// from how many on it is believed.
	trendSlots = 32
	minTrend   = 6
	// A slot begins with five seconds and widens to a minute: the trend looks back
	// half an hour, and a heap that fills within minutes is seen in time.
	firstSlotMs = 5_000
	lastSlotMs  = 60_000
	// believedShare is how many of all pairs of points must rise for growth to be
	// more than noise (Mann and Kendall's test; with 6 points that is one chance in
	// thirty by luck).
	believedShare = 0.8
	// longestForecast bounds the forecast: beyond it the region does not fill.
	longestForecast = 30 * 24 * 3600.0
)

// oldTrend follows the old region after collections. Each slot of time keeps the
// least use, which is closest to what is alive.
type oldTrend struct {
	slotMs int64
	// slots are in order of time, at most trendSlots.
	slots []trendPoint
	// lastEndMs and lastUsed are those of the last collection that is in the slots.
	lastEndMs, lastUsed int64
	// forecast is what the slots say.
	forecast oldForecast
}

// trendPoint is a use at a time since the JVM's start.
type trendPoint struct{ ms, bytes int64 }

// oldForecast is what is known of the old region.
type oldForecast struct {
	known  bool
	region OldRegion
	// growth is in bytes a second, missing before there are enough points.
	growth jvm.Opt[float64]
	// fullInSeconds is when the region is full if it goes on; missing unless it
	// grows steadily.
	fullInSeconds jvm.Opt[float64]
}

// observe adds a poll.
func (t *oldTrend) observe(s *jvm.Snapshot) oldForecast {
	region, ok := OldRegionOf(s)
	if !ok || s.Runtime == nil {
		return oldForecast{}
	}
	now, ok := s.Runtime.UptimeMs.Get()
	if !ok {
		return oldForecast{known: true, region: region}
	}
	if region.EndMs != t.lastEndMs || region.UsedBytes != t.lastUsed || len(t.slots) == 0 {
		t.lastEndMs, t.lastUsed = region.EndMs, region.UsedBytes
		if t.put(trendPoint{now, region.UsedBytes}) {
			t.forecast = t.look()
		}
	}
	f := t.forecast
	f.known, f.region = true, region
	if slope := f.growth.Or(0); f.fullInSeconds.Known() && slope > 0 {
		left := float64(region.LimitBytes-region.UsedBytes) / slope
		f.fullInSeconds = jvm.Some(max(0, left))
		if left > longestForecast || !region.Telling() {
			f.fullInSeconds = jvm.Opt[float64]{}
		}
	}
	return f
}

// put enters a point into its slot, and tells whether the slots say anything else than
// before: most of the points of a slot that has become wide are not its least.
func (t *oldTrend) put(p trendPoint) bool {
	if t.slotMs == 0 {
		t.slotMs = firstSlotMs
	}
	if n := len(t.slots); n > 0 && p.ms/t.slotMs == t.slots[n-1].ms/t.slotMs {
		least := p.bytes < t.slots[n-1].bytes
		if least {
			t.slots[n-1].bytes = p.bytes
		}
		return least
	}
	t.slots = append(t.slots, p)
	for len(t.slots) > trendSlots && t.slotMs < lastSlotMs {
		t.widen()
	}
	if len(t.slots) > trendSlots {
		t.slots = slices.Delete(t.slots, 0, len(t.slots)-trendSlots)
	}
	return true
}

// widen doubles the slots and joins those that fall together.
func (t *oldTrend) widen() {
	t.slotMs = min(2*t.slotMs, lastSlotMs)
	points := t.slots
	t.slots = points[:0]
	for _, p := range points {
		n := len(t.slots)
		if n > 0 && p.ms/t.slotMs == t.slots[n-1].ms/t.slotMs {
			t.slots[n-1].bytes = min(t.slots[n-1].bytes, p.bytes)
			continue
		}
		t.slots = append(t.slots, p)
	}
}

// look draws the line: the median of the slopes of all pairs (Theil and Sen), which
// one odd point does not bend.
func (t *oldTrend) look() oldForecast {
	if len(t.slots) < minTrend {
		return oldForecast{}
	}
	slopes := make([]float64, 0, trendSlots*(trendSlots-1)/2)
	rising := 0
	for i, a := range t.slots {
		for _, b := range t.slots[i+1:] {
			slopes = append(slopes, float64(b.bytes-a.bytes)*1000/float64(b.ms-a.ms))
			if b.bytes > a.bytes {
				rising++
			}
		}
	}
	pairs := len(slopes)
	slices.Sort(slopes)
	f := oldForecast{growth: jvm.Some(slopes[pairs/2])}
	if slopes[pairs/2] > 0 && float64(rising) >= believedShare*float64(pairs) {
		f.fullInSeconds = jvm.Some(0.0) // observe fills it in
	}
	return f
}
