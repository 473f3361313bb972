package tx

import (
	"sort"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// pauses is the time for which collections stopped the application, summed up, at
// the looks of late.
type pauses struct{ points []pausePoint }

type pausePoint struct {
	at time.Time
	ms float64
}

func (p *pauses) add(r *jvm.Requests) {
	ms, ok := r.PauseMs.Get()
	if !ok {
		return
	}
	p.points = append(p.points, pausePoint{r.Sent, float64(ms)})
}

// forget drops what lies before the last point that is not after t.
func (p *pauses) forget(t time.Time) {
	i := sort.Search(len(p.points), func(i int) bool { return p.points[i].at.After(t) })
	if i > 1 {
		p.points = append(p.points[:0], p.points[i-1:]...)
	}
}

// known tells whether the JVM says anything about pauses.
func (p *pauses) known() bool { return len(p.points) > 1 }

// between is the pause between two times, in milliseconds; between two looks it is
// taken to be spread evenly.
func (p *pauses) between(from, to time.Time) float64 { return max(0, p.at(to)-p.at(from)) }

func (p *pauses) at(t time.Time) float64 {
	i := sort.Search(len(p.points), func(i int) bool { return p.points[i].at.After(t) })
	switch {
	case len(p.points) == 0:
		return 0
	case i == 0:
		return p.points[0].ms
	case i == len(p.points):
		return p.points[i-1].ms
	}
	a, b := p.points[i-1], p.points[i]
	share := float64(t.Sub(a.at)) / float64(max(b.at.Sub(a.at), 1))
	return a.ms + share*(b.ms-a.ms)
}
