package push

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/sync/errgroup"
)

// Follow makes the given destinations the ones that get every sample from now on. One
// that is there already goes on undisturbed; another one with the same ID takes its
// queue over, and gets what the old one had not confirmed. The queue of a destination
// that is not among them stays on disk: its samples go out when the destination comes
// back. On an error everything stays as it was. It may be called before and during Run.
func (p *Pusher) Follow(destinations []Destination) error {
	if err := validateDestinations(destinations); err != nil {
		return err
	}
	p.following.Lock()
	defer p.following.Unlock()
	before := map[string]*worker{}
	for _, w := range p.workers { // whoever follows is the only one to replace them
		before[w.dest.Info().ID] = w
	}
	workers := make([]*worker, len(destinations))
	for i, d := range destinations {
		if before[d.Info().ID] != nil {
			continue
		}
		w, err := p.openWorker(d)
		if err != nil {
			return errors.Join(err, closeQueues(workers))
		}
		workers[i] = w
	}
	for i, d := range destinations {
		w := before[d.Info().ID]
		switch {
		case w == nil:
		case w.dest == d:
			workers[i] = w
		default:
			p.halt(w)
			w.queue.rewind()
			workers[i] = &worker{queue: w.queue, dest: d, log: w.log, metrics: w.metrics, refused: w.refused, packing: w.packing, unsure: w.queue.end()}
		}
		delete(before, d.Info().ID)
	}
	for _, w := range before {
		p.halt(w)
	}
	p.mu.Lock()
	name(workers)
	p.workers = workers
	p.mu.Unlock()
	select {
	case p.changed <- struct{}{}:
	default:
	}
	for _, w := range before {
		p.retire(w)
	}
	return nil
}

// openWorker opens the queue of a destination; what an earlier process left in it is
// delivered first.
func (p *Pusher) openWorker(d Destination) (*worker, error) {
	dir := filepath.Join(p.opts.Dir, queueFolder(d.Info().ID))
	log := p.opts.Logger.With(slog.String("destination", d.Info().Label))
	q, err := openQueue(queueOptions{dir: dir, maxBytes: p.opts.MaxBytes, minFreeBytes: p.opts.MinFreeBytes, maxMemory: maxShelter, logger: log})
	if err != nil {
		return nil, fmt.Errorf("push: %w", err)
	}
	refused, err := openDeadLetters(dir)
	if err != nil {
		return nil, errors.Join(err, q.close())
	}
	return &worker{queue: q, dest: d, log: log, refused: refused, packing: p.packing, unsure: q.end()}, nil
}

// name gives workers that are new their metrics, under the label of the destination,
// told apart from others that differ in masked parts only.
func name(workers []*worker) {
	taken := map[string]bool{}
	for _, w := range workers {
		if w.metrics != nil {
			taken[w.metrics.label] = true
		}
	}
	for _, w := range workers {
		if w.metrics != nil {
			continue
		}
		label := w.dest.Info().Label
		for n := 2; taken[label]; n++ {
			label = w.dest.Info().Label + "#" + strconv.Itoa(n)
		}
		taken[label] = true
		w.metrics = newDestinationMetrics(label, w.queue, w.refused)
	}
}

// halt ends a worker, if it was started, and sees to it that it never is. Samples may be
// appended to its queue all the same.
func (p *Pusher) halt(w *worker) {
	p.mu.Lock()
	stop, ended := w.stop, w.ended
	if stop == nil {
		w.stop = func() {}
	}
	p.mu.Unlock()
	if stop != nil {
		stop()
		<-ended
	}
}

// retire closes the queue of a destination that is gone.
func (p *Pusher) retire(w *worker) {
	left := w.queue.stats()
	if err := w.queue.close(); err != nil {
		w.log.Warn("queue not closed cleanly", slog.Any("error", err))
	}
	w.log.Info("destination is not configured any more, its queue stays on disk; delete it if its samples are not wanted",
		slog.String("folder", w.queue.opts.dir), slog.Int("samples", left.samples))
}

// startNew starts the workers that were not yet.
func (p *Pusher) startNew(ctx context.Context, g *errgroup.Group) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.workers {
		if w.stop != nil {
			continue
		}
		var own context.Context
		own, w.stop = context.WithCancel(ctx)
		w.ended = make(chan struct{})
		g.Go(func() error {
			defer close(w.ended)
			return w.run(own)
		})
	}
}

// closeQueues closes the queues of workers that were not started; nil ones have none.
func closeQueues(workers []*worker) error {
	var errs []error
	for _, w := range slices.DeleteFunc(workers, func(w *worker) bool { return w == nil }) {
		errs = append(errs, w.queue.close())
	}
	return errors.Join(errs...)
}
