package scan

import (
	"cmp"
	"context"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/report"
)

// maxLocals bounds the locals of a frame.
const maxLocals = 64

// ThreadsOptions steer Threads.
type ThreadsOptions struct {
	// Limit bounds the list.
	Limit int
	// Retained asks for what threads and their locals retain, which takes the whole
	// graph.
	Retained bool
}

// Threads lists the threads with their stacks and the objects these hold. Errors: those
// of File.
func Threads(ctx context.Context, path string, o Options, q ThreadsOptions) (*report.Threads, error) {
	if !q.Retained {
		o.Depth = heap.Numbered
	}
	return ask(ctx, path, o, heap.Options{}, func(ctx context.Context, d *dump) (*report.Threads, error) {
		var retained []int64
		if q.Retained {
			if err := d.dominate(ctx); err != nil {
				return nil, err
			}
			retained = d.retainedByThread()
		}
		d.progress.say("reading stacks", 2*d.file.Size+d.file.Size/2)
		return d.threads(ctx, retained, q.Limit)
	})
}

// retainedByThread returns what each of the graph's threads retains: its object and
// what its stack alone holds. What a stack holds is a root or a reference of the thread,
// so that none of it is dominated by another part of it but the thread object.
func (d *dump) retainedByThread() []int64 {
	threads := d.graph.Threads
	isThread := make(map[heap.ObjID]bool, len(threads))
	retained := make([]int64, len(threads))
	for i, t := range threads {
		isThread[t.Object] = true // it belongs to its thread, whoever else holds it
		retained[i] = int64(d.tree.Retained(uint32(t.Object)))
	}
	var all []holding
	for i, t := range threads {
		for o := range d.graph.HeldBy(t) {
			all = append(all, holding{o, uint32(i)})
		}
	}
	slices.SortFunc(all, func(a, b holding) int {
		return cmp.Or(cmp.Compare(a.object, b.object), cmp.Compare(a.thread, b.thread))
	})
	all = slices.Compact(all)
	for i, h := range all {
		several := i > 0 && all[i-1].object == h.object || i+1 < len(all) && all[i+1].object == h.object
		if t := threads[h.thread].Object; !several && !isThread[h.object] && (t == 0 || !d.tree.IsChild(uint32(t), uint32(h.object))) {
			retained[h.thread] += int64(d.tree.Retained(uint32(h.object)))
		}
	}
	return retained
}

// holding is an object on the stack of the graph's thread of that number.
type holding struct {
	object heap.ObjID
	thread uint32
}

// threads answers of the open dump. retained is by thread, nil where not asked for.
func (d *dump) threads(ctx context.Context, retained []int64, limit int) (*report.Threads, error) {
	order := make([]int, len(d.graph.Threads))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		bySize := 0
		if retained != nil {
			bySize = cmp.Compare(retained[b], retained[a])
		}
		return cmp.Or(bySize, cmp.Compare(d.graph.Threads[a].Serial, d.graph.Threads[b].Serial))
	})
	order = order[:min(len(order), limit)]
	stacks := d.stacks(order)
	names, err := d.stackNames(ctx, stacks)
	if err != nil {
		return nil, err
	}
	a := &report.Threads{Head: *d.report.About(), Limits: report.ThreadLimits{
		ThreadRows: limit, ThreadsOmitted: int64(len(d.graph.Threads) - len(order)), LocalRows: maxLocals, FrameRows: heap.MaxFrames,
	}}
	for i, s := range stacks {
		t := d.thread(names, s)
		if retained != nil {
			t.RetainedBytes = new(retained[order[i]])
		}
		a.Threads = append(a.Threads, t)
	}
	return a, nil
}

// stacks returns the stacks of the graph's threads of the given numbers.
func (d *dump) stacks(numbers []int) []heap.Stack {
	places := map[int]int{}
	for place, n := range numbers {
		places[n] = place
	}
	stacks, n := make([]heap.Stack, len(numbers)), 0
	for s := range d.graph.Stacks() {
		if place, ok := places[n]; ok {
			stacks[place] = s
		}
		n++
	}
	return stacks
}

// stackNames looks up the threads and what is shown of what their stacks hold.
func (d *dump) stackNames(ctx context.Context, stacks []heap.Stack) (*names, error) {
	var objects []heap.ObjID
	for _, s := range stacks {
		objects = append(objects, s.Object)
		loose, _ := s.Loose()
		for _, l := range shown(loose) {
			objects = append(objects, l.Object)
		}
		for i := range s.Frames {
			for _, l := range shown(s.Locals(i)) {
				objects = append(objects, l.Object)
			}
		}
	}
	return d.names(ctx, objects)
}

// thread describes one thread.
func (d *dump) thread(names *names, s heap.Stack) report.Thread {
	info := names.threads[s.Object]
	t := report.Thread{
		Name: info.Name, Serial: int64(s.Serial), ID: info.ID, Daemon: info.Daemon, Virtual: info.Virtual,
		Priority: info.Priority, State: info.State, FramesOmitted: int64(s.Omitted),
	}
	if s.Object != 0 {
		n := names.of(s.Object)
		t.Object, t.Class = n.Object, n.Class
	}
	loose, more := s.Loose()
	t.Locals, t.LocalsOmitted = d.locals(names, loose, more)
	for i, f := range s.Frames {
		r := report.ThreadFrame{Call: f.String(), Class: f.Class, Method: f.Method, Source: f.Source, Line: int64(max(f.Line, 0)), Native: f.Line == heap.LineNative}
		locals, more := s.LocalsOf(i)
		r.Locals, r.LocalsOmitted = d.locals(names, locals, more)
		t.Frames = append(t.Frames, r)
	}
	return t
}

// shown are the locals that are shown.
func shown(held []heap.Local) []heap.Local { return held[:min(len(held), maxLocals)] }

// locals describes what a frame holds, besides so many that the graph left out.
func (d *dump) locals(names *names, held []heap.Local, more int) (locals []report.Local, omitted int64) {
	for _, h := range shown(held) {
		l := report.Local{ObjectName: names.of(h.Object), Root: h.Kind.RootName()}
		if d.tree != nil {
			l.RetainedBytes = new(int64(d.tree.Retained(uint32(h.Object))))
		}
		locals = append(locals, l)
	}
	return locals, int64(len(held) - len(locals) + more)
}
