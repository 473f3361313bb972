package push

import (
	"errors"
	"fmt"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

// group is what several calls of Append have in common: one record of the queues, packed
// once, for them and for the receivers. All of them wait until it is written.
type group struct {
	encoder
	// done is closed when it is in the queues, or is not for the reason in err.
	done chan struct{}
	err  error
}

// enter adds samples to the group that is open, and begins others where one is full. It
// gives the last one, which is not written yet, and whether it has just begun; the error
// is about those before. There is no group if all is written. The caller holds the lock.
func (p *Pusher) enter(samples []series.Sample) (g *group, began bool, err error) {
	var errs []error
	for len(samples) > 0 {
		if g = p.open; g == nil {
			g, began = &group{encoder: p.encoder, done: make(chan struct{})}, true
			g.reset()
			p.open = g
		}
		samples = samples[g.add(samples):]
		if len(samples) > 0 || p.opts.Gather == 0 {
			p.write(g)
			errs = append(errs, g.err)
			g, began = nil, false
		}
	}
	return g, began, errors.Join(errs...)
}

// await returns when a group is written. Who began it waits for others to join in.
func (p *Pusher) await(g *group, began bool) error {
	if began {
		timer := time.NewTimer(p.opts.Gather)
		defer timer.Stop()
		select {
		case <-g.done:
		case <-timer.C:
			p.mu.Lock()
			if p.open == g {
				p.write(g)
			}
			p.mu.Unlock()
		}
	}
	<-g.done
	return g.err
}

// write ends the open group: it goes into all queues. The caller holds the lock.
func (p *Pusher) write(g *group) {
	p.packed = p.packing.pack(p.packed[:0], g.raw)
	r := record{timeMs: time.Now().UnixMilli(), samples: g.n, payload: p.packed}
	var errs []error
	for _, w := range p.workers {
		err := w.queue.append(r)
		w.noteAppend(r.samples, err)
		if err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		g.err = fmt.Errorf("push: %w", errors.Join(errs...))
	}
	p.open, p.encoder = nil, g.encoder // its buffers are the next one's
	g.encoder = encoder{}
	close(g.done)
}
