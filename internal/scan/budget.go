package scan

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"sync/atomic"

	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// Plan says what a part of a scan will take, before it begins.
type Plan struct {
	// Phase is the part, such as "finding dominators".
	Phase string
	// Nodes and References are the objects and references that it deals with, the latter
	// guessed or at most.
	Nodes, References int64
	// PeakBytes is what the whole process takes then, LaterBytes what it may take at most
	// after that, 0 where that is not known yet.
	PeakBytes, LaterBytes int64
	// LimitBytes is what it may take, 0 for no limit. Asked says that the limit was asked
	// for; else it is what the machine or the container has.
	LimitBytes int64
	Asked      bool
	// FileBytes is the size of the temporary files that hold the arrays from now on, 0
	// where they are in memory.
	FileBytes int64
}

// MemoryError says that a scan can't be done in the memory it may take.
type MemoryError struct {
	// LimitBytes is what the scan may take, NeedBytes with what it could be done, and
	// HistogramBytes what a histogram alone takes; 0 where that is not known.
	LimitBytes, NeedBytes, HistogramBytes int64
	// Reason tells more, for people; it may be empty.
	Reason string
}

// Error tells the numbers.
func (e *MemoryError) Error() string {
	text := "not enough memory: the limit is " + unit.Bytes(e.LimitBytes)
	if e.NeedBytes > 0 {
		text += ", at least " + unit.Bytes(e.NeedBytes) + " are needed"
	}
	if e.Reason != "" {
		text += "; " + e.Reason
	}
	return text
}

// Hint says what to do.
func (e *MemoryError) Hint() string {
	hint := "a higher --max-memory would do, on a machine or in a container that has it"
	if e.NeedBytes > 0 {
		hint = fmt.Sprintf("--max-memory %dM would do", e.NeedBytes>>20)
	}
	if e.HistogramBytes > 0 {
		hint += "; heapscan histogram takes " + unit.Bytes(e.HistogramBytes)
	}
	return hint
}

const (
	// slackBytes is what plans leave for what they don't count: buffers, stacks.
	slackBytes = 16 << 20
	// fileWindowBytes is the least room for pages of temporary files.
	fileWindowBytes = 32 << 20
	// spareShare is how much of the spare memory a scan without a limit takes.
	spareShare = 0.9
)

// budget holds a scan within its memory.
type budget struct {
	memory offheap.Memory
	asked  int64 // limit, 0 for none
	say    func(Plan)
	cancel context.CancelFunc
	keeper sync.WaitGroup
	over   atomic.Pointer[MemoryError] // the limit could not be kept
	limit  int64                       // that is kept, 0 for none
	before int64                       // the garbage collector's limit
	first  int64                       // what the process took before the first plan: that of a histogram
}

// newBudget begins to hold a scan within its memory. The scan must use the context that
// is returned, and end must be called.
func newBudget(ctx context.Context, o Options) (context.Context, *budget) {
	b := &budget{asked: o.MaxMemoryBytes, say: o.Planned}
	ctx, b.cancel = context.WithCancel(ctx)
	b.memory.Planner = func(n offheap.Need) error { return b.plan(ctx, n) }
	if b.asked > 0 {
		b.keep(ctx, b.asked)
	}
	return ctx, b
}

// keep has the limit kept from now on.
func (b *budget) keep(ctx context.Context, limit int64) {
	b.limit = limit
	b.before = debug.SetMemoryLimit(limit / 2) // less garbage, at the cost of time; see pace
	b.keeper.Go(func() {
		if err := b.memory.Keep(ctx, limit); err != nil {
			b.over.Store(&MemoryError{LimitBytes: limit, HistogramBytes: b.first, Reason: reason(err)})
			b.cancel()
		}
	})
}

// pace says when garbage is to be collected: where half of the limit is taken, so that arrays have the other
// half, but later where so much lives already or is about to be, as else all time would go into that.
func (b *budget) pace(more int64) {
	if b.limit == 0 {
		return
	}
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	debug.SetMemoryLimit(max(b.limit/2, int64(live[0].Value.Uint64())*5/4+more+slackBytes))
}

// reason tells people why a limit could not be kept.
func reason(err error) string {
	var over *offheap.OverLimitError
	if errors.As(err, &over) {
		return unit.Bytes(over.Resident) + " are in use"
	}
	return err.Error()
}

// failed returns the error of a limit that could not be kept, nil as long as it is.
func (b *budget) failed() error {
	if e := b.over.Load(); e != nil {
		return e
	}
	return nil
}

// end stops keeping the limit. It returns that the limit could not be kept where the scan has no
// worse to tell than that it was stopped.
func (b *budget) end(err error) error {
	b.cancel()
	b.keeper.Wait()
	if b.limit > 0 {
		debug.SetMemoryLimit(b.before)
	}
	if failed := b.failed(); failed != nil && (err == nil || errors.Is(err, context.Canceled)) {
		return failed
	}
	return err
}

// plan decides where the arrays of a part of the scan are. Errors: *MemoryError.
func (b *budget) plan(ctx context.Context, n offheap.Need) error {
	now, err := offheap.Resident()
	if errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	if err != nil {
		return err
	}
	if n.Fixed > 0 {
		return b.fits(now, n)
	}
	if b.first == 0 && n.Nodes > 0 {
		b.first = now
	}
	p := Plan{Phase: n.Phase, Nodes: n.Nodes, References: n.References, LimitBytes: b.limit, Asked: b.asked > 0}
	p.PeakBytes = now + n.Bytes + slackBytes
	if n.Later > 0 {
		p.LaterBytes = now + n.Later + slackBytes
	}
	if b.limit == 0 {
		if spare := SpareMemoryBytes(os.DirFS("/")); spare > 0 && p.PeakBytes > now+int64(spareShare*float64(spare)) {
			p.LimitBytes = now + int64(spareShare*float64(spare))
			b.keep(ctx, p.LimitBytes)
		}
	}
	if p.LimitBytes > 0 && p.PeakBytes > p.LimitBytes {
		if p.FileBytes, err = b.spill(n); err != nil {
			return err
		}
	}
	b.pace(0)
	if b.say != nil {
		b.say(p)
	}
	return nil
}

// fits sees to it that the process may take what can't be moved to the disk; arrays make room for
// that. Errors: *MemoryError.
func (b *budget) fits(now int64, n offheap.Need) error {
	bytes := n.Fixed
	if bytes <= slackBytes {
		return nil
	}
	limit := b.limit
	if spare := SpareMemoryBytes(os.DirFS("/")); limit == 0 && spare > 0 {
		limit = now + int64(spareShare*float64(spare))
	}
	if limit != 0 && now+bytes+slackBytes > limit {
		if b.limit == 0 {
			return &MemoryError{LimitBytes: limit, NeedBytes: asked(now + bytes + slackBytes)}
		}
		if _, err := b.spill(n); err != nil {
			return err
		}
	}
	b.pace(bytes)
	return nil
}

// asked returns the limit with which so much may be taken, as people would ask for it.
func asked(bytes int64) int64 {
	const mebi = 1 << 20
	return (offheap.LimitFor(bytes) + mebi - 1) / mebi * mebi
}

// spill moves the arrays to temporary files and returns the size of those. Errors:
// *MemoryError.
func (b *budget) spill(n offheap.Need) (int64, error) {
	fail := func(err error) (int64, error) {
		return 0, &MemoryError{LimitBytes: b.limit, HistogramBytes: b.first, Reason: err.Error()}
	}
	if err := b.memory.Spill(); err != nil {
		return fail(err)
	}
	b.memory.Drop()
	debug.FreeOSMemory()
	left, err := offheap.Resident()
	if err != nil {
		return 0, err
	}
	need := left + n.Fixed + slackBytes + fileWindowBytes
	keep := offheap.Aim(b.limit) - need
	if keep < 0 {
		return 0, &MemoryError{LimitBytes: b.limit, NeedBytes: asked(need), HistogramBytes: b.first}
	}
	b.memory.Retain(keep)
	return b.memory.Spilled() + n.Bytes, nil
}
