package push

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

const (
	defaultMaxBytes = 1 << 30
	minMaxBytes     = 1 << 20
	// syncInterval bounds what a power cut costs.
	syncInterval = time.Second
)

// Options say where samples go and where they wait.
type Options struct {
	// Dir holds one queue per destination; it is created when missing. Required.
	Dir string
	// Destinations all get every sample, until Follow replaces them. At least one is
	// required; each is closed over by the Pusher and must not be used elsewhere.
	Destinations []Destination
	// MaxBytes bounds the files of one queue: the oldest samples are dropped when
	// it is full. Zero means 1 GiB, the least is 1 MiB.
	MaxBytes int64
	// MinFreeBytes is the space on the disk below which the queues do not grow any
	// more, for the good of whatever else needs it; zero means none.
	MinFreeBytes int64
	// Gather is how long samples wait for others that are packed and sent together with
	// them, and Append for that; zero means not at all.
	Gather time.Duration
	// Memory gets the samples that were taken down; nil leaves them to the garbage.
	Memory *series.Memory
	// Logger receives what goes wrong and right again; nil discards it.
	Logger *slog.Logger
}

// Validate joins all faults of the options.
func (o Options) Validate() error {
	var errs []error
	if o.Dir == "" {
		errs = append(errs, errors.New("push: no folder given"))
	}
	if o.MaxBytes != 0 && o.MaxBytes < minMaxBytes {
		errs = append(errs, fmt.Errorf("push: queue limit %d is below the minimum of %d bytes", o.MaxBytes, minMaxBytes))
	}
	return errors.Join(append(errs, validateDestinations(o.Destinations))...)
}

func validateDestinations(list []Destination) error {
	var errs []error
	if len(list) == 0 {
		errs = append(errs, errors.New("push: no destination given"))
	}
	seen := map[string]bool{}
	for _, d := range list {
		info := d.Info()
		if seen[info.ID] {
			errs = append(errs, fmt.Errorf("push: destination %s is given twice", info.Label))
		}
		seen[info.ID] = true
	}
	return errors.Join(errs...)
}

// Pusher queues and delivers samples. Append and WriteMetrics may be called from
// many goroutines.
type Pusher struct {
	opts    Options
	lock    *os.File
	metrics *pushMetrics
	packing *packing
	// changed has a value when there are workers that were not started yet.
	changed chan struct{}
	// following is held by the one who replaces destinations.
	following sync.Mutex

	// mu guards the rest, and keeps queues in the same order.
	mu      sync.Mutex
	workers []*worker
	// open is the group that Append adds to; nil while there is none.
	open *group
	// encoder and packed are the memory of groups.
	encoder encoder
	packed  []byte
}

// Open opens the queues; what an earlier process left in them is delivered
// first. The error wraps ErrInUse when a running process holds the folder.
func Open(opts Options) (_ *Pusher, err error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	if opts.MaxBytes == 0 {
		opts.MaxBytes = defaultMaxBytes
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	packing, err := newPacking()
	if err != nil {
		return nil, err
	}
	p := &Pusher{opts: opts, metrics: newPushMetrics(), packing: packing, changed: make(chan struct{}, 1)}
	if err := os.MkdirAll(opts.Dir, 0o750); err != nil {
		return nil, fmt.Errorf("push: create folder: %w", err)
	}
	if p.lock, err = lockFolder(opts.Dir); err != nil {
		return nil, err
	}
	if err := p.Follow(opts.Destinations); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	folders := map[string]bool{}
	for _, d := range opts.Destinations {
		folders[queueFolder(d.Info().ID)] = true
	}
	warnOrphans(opts.Dir, folders, opts.Logger)
	return p, nil
}

// queueFolder names the folder of a destination's queue; the ID may hold secrets
// and slashes.
func queueFolder(id string) string {
	sum := sha256.Sum256([]byte(id))
	return "queue-" + hex.EncodeToString(sum[:8])
}

// warnOrphans names queues with samples whose destination is not configured.
func warnOrphans(dir string, known map[string]bool, log *slog.Logger) {
	names, err := fs.Glob(os.DirFS(dir), "queue-*") // the folder's own name is no pattern
	if err != nil {
		return
	}
	for _, name := range names {
		if !known[name] {
			log.Warn("queue of a destination that is not configured any more; delete it if its samples are not wanted",
				slog.String("folder", filepath.Join(dir, name)))
		}
	}
}

// Append queues the samples for every destination, together with those of other calls
// within Options.Gather. When it returns nil they outlive this process, unless the disk takes
// nothing: then up to 16 MiB for each destination wait in memory. On an error some
// destinations may have got them; to append them again, made anew, is safe. Samples no
// receiver would store (not finite, label limits) are dropped and counted. The slice goes to
// Options.Memory as soon as the samples are taken down, long before they are written: what
// a hundred targets say at once need not all be in memory twice.
func (p *Pusher) Append(samples []series.Sample) error {
	accepted := p.accepted(samples)
	p.mu.Lock()
	g, began, err := p.enter(accepted)
	p.mu.Unlock()
	p.opts.Memory.Free(samples)
	if g != nil {
		err = errors.Join(err, p.await(g, began))
	}
	return err
}

// accepted returns the samples without the refused ones; it copies only when
// there is one.
func (p *Pusher) accepted(samples []series.Sample) []series.Sample {
	var g gate
	for i := range samples {
		if g.refusal(&samples[i]) == "" {
			continue
		}
		kept := append([]series.Sample(nil), samples[:i]...)
		for j := i; j < len(samples); j++ {
			if reason := g.refusal(&samples[j]); reason != "" {
				p.metrics.refused(reason).Inc()
				continue
			}
			kept = append(kept, samples[j])
		}
		return kept
	}
	return samples
}

// Run delivers until ctx ends, then for at most two seconds more while there is
// something left and the receivers take it. What remains is delivered after the
// next Open. It returns nil when ctx ended it.
func (p *Pusher) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		p.keepSynced(ctx)
		return nil
	})
	for {
		p.startNew(ctx, g)
		select {
		case <-ctx.Done():
			return g.Wait()
		case <-p.changed:
		}
	}
}

// keepSynced brings the queues to the disk itself until ctx ends, whatever their receivers
// do meanwhile; Close does so for the last time.
func (p *Pusher) keepSynced(ctx context.Context) {
	tick := time.NewTicker(syncInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		p.mu.Lock()
		workers := slices.Clone(p.workers)
		p.mu.Unlock()
		for _, w := range workers {
			w.queue.sync()
		}
	}
}

// Close gives the folder free. Call it after Run returned.
func (p *Pusher) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, w := range p.workers {
		errs = append(errs, w.queue.close())
	}
	errs = append(errs, p.lock.Close())
	return errors.Join(errs...)
}
