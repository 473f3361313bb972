package scan

import (
	"context"
	"errors"
	"io"
	"runtime"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/heap/dom"
	"github.com/apm-sidecar/apm-sidecar/internal/report"
)

// Export is a dump that was analysed, ready to be written object by object.
type Export struct {
	// Report describes the dump: its Dump, Heap, Histogram and Warnings.
	Report *report.Report

	dump   *dump
	budget *budget
	all    *dom.All
	names  []string // by heap.ClassID
}

// NewExport reads the dump at path and computes the dominator and the retained size
// of every object; it must be closed. Memory, beside that of the graph and its
// dominator tree: 12 bytes an object. Errors: those of File.
func NewExport(ctx context.Context, path string, o Options) (*Export, error) {
	ctx, b := newBudget(ctx, o)
	d, err := open(ctx, path, o, heap.Options{}, b)
	if err != nil {
		return nil, b.end(err)
	}
	e := &Export{Report: d.report, dump: d, budget: b}
	if err := e.prepare(ctx); err != nil {
		return nil, b.end(errors.Join(err, e.Close()))
	}
	return e, nil
}

func (e *Export) prepare(ctx context.Context) (err error) {
	if err := e.dump.dominate(ctx); err != nil {
		return err
	}
	e.dump.progress.say("adding up", 2*e.dump.file.Size+e.dump.file.Size/2)
	if e.all, err = e.dump.tree.All(ctx); err != nil {
		return err
	}
	for i := range e.dump.graph.Classes {
		e.names = append(e.names, report.Printable(e.dump.graph.Classes[i].Name))
	}
	return nil
}

// Close gives the memory back.
func (e *Export) Close() error {
	if e.all != nil {
		e.all.Free()
	}
	return e.budget.end(e.dump.close())
}

const (
	// exportTitles is the first line.
	exportTitles = "address\tclass\tshallow\tretained\tidom\n"
	// exportRows is how many objects a core renders at once.
	exportRows = 1 << 15
)

// WriteTSV writes a line of titles and a line for each reachable object, by address:
// the address, the class as Java source writes it, the object's own size and what it
// retains, in bytes, and the address of its immediate dominator, "-" for none. Class
// names hold no tabs or line breaks: they come as escapes. Errors: those of ctx and w.
func (e *Export) WriteTSV(ctx context.Context, w io.Writer) error {
	if _, err := io.WriteString(w, exportTitles); err != nil {
		return err
	}
	cores := runtime.GOMAXPROCS(0)
	parts := make([][]byte, cores)
	var stretches []heap.Stretch
	flush := func() error {
		g, gctx := errgroup.WithContext(ctx)
		for i, s := range stretches {
			g.Go(func() error {
				parts[i] = e.appendRows(parts[i][:0], s)
				return gctx.Err()
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
		for _, part := range parts[:len(stretches)] {
			if _, err := w.Write(part); err != nil {
				return err
			}
		}
		stretches = stretches[:0]
		return nil
	}
	done, total := int64(0), int64(e.dump.graph.Objects())
	for s := range e.dump.graph.ByAddress(exportRows) {
		stretches = append(stretches, s)
		if done += int64(s.Last-s.First) + 1; len(stretches) == cores || done == total {
			if err := errors.Join(e.budget.failed(), flush()); err != nil {
				return err
			}
			e.written(done)
		}
	}
	return nil
}

// written tells that so many objects are dealt with.
func (e *Export) written(objects int64) {
	size := e.dump.file.Size
	e.dump.progress.say("writing", 2*size+size/2+int64(float64(size/2)*float64(objects)/float64(e.dump.graph.Objects())))
}

// Row is a reachable object.
type Row struct {
	Address uint64
	// Class is the class as Java source writes it, hidden characters as escapes.
	Class string
	// Shallow is the object's own size, and Retained what it retains, in bytes.
	Shallow, Retained int64
	// Dominator is the address of the immediate dominator, where Dominated says that
	// there is one.
	Dominator uint64
	Dominated bool
}

// Rows calls fn with all reachable objects, by address, so many at a time; they are
// valid during the call. Errors: those of ctx and fn.
func (e *Export) Rows(ctx context.Context, fn func([]Row) error) error {
	g, done := e.dump.graph, int64(0)
	rows := make([]Row, 0, exportRows)
	for s := range g.ByAddress(exportRows) {
		if err := errors.Join(e.budget.failed(), ctx.Err()); err != nil {
			return err
		}
		rows = rows[:0]
		for o := s.First; o <= s.Last; o++ {
			if !e.dump.tree.Reachable(uint32(o)) {
				continue
			}
			r := Row{Address: g.Address(o), Class: e.names[g.ClassOf(o)], Shallow: g.ShallowBytes(o), Retained: int64(e.all.Retained.Items[o])}
			if d := e.all.Dominator.Items[o]; d != 0 {
				r.Dominator, r.Dominated = g.Address(heap.ObjID(d)), true
			}
			rows = append(rows, r)
		}
		if err := fn(rows); err != nil {
			return err
		}
		done += int64(s.Last-s.First) + 1
		e.written(done)
	}
	return nil
}

// appendRows appends the lines of the reachable objects of a stretch.
func (e *Export) appendRows(b []byte, s heap.Stretch) []byte {
	g := e.dump.graph
	for o := s.First; o <= s.Last; o++ {
		if !e.dump.tree.Reachable(uint32(o)) {
			continue
		}
		b = appendAddress(b, g.Address(o))
		b = append(b, '\t')
		b = append(b, e.names[g.ClassOf(o)]...)
		b = append(b, '\t')
		b = strconv.AppendInt(b, g.ShallowBytes(o), 10)
		b = append(b, '\t')
		b = strconv.AppendUint(b, e.all.Retained.Items[o], 10)
		b = append(b, '\t')
		if d := e.all.Dominator.Items[o]; d != 0 {
			b = appendAddress(b, g.Address(heap.ObjID(d)))
		} else {
			b = append(b, '-')
		}
		b = append(b, '\n')
	}
	return b
}

func appendAddress(b []byte, address uint64) []byte {
	return strconv.AppendUint(append(b, "0x"...), address, 16)
}
