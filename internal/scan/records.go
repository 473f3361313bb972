package scan

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
)

// RecordOptions steer WriteRecords. The zero value writes the records around the heap,
// as text.
type RecordOptions struct {
	// JSON has a JSON object a line instead of text.
	JSON bool
	// SubRecords has what is inside the heap records too.
	SubRecords bool
	// From leaves out what begins before this offset in the uncompressed dump.
	From int64
	// Limit ends after that many lines; 0 is no limit.
	Limit int
	// Progress is called as Options.Progress is.
	Progress func(phase string, done, total int64)
}

// WriteRecords writes a line for each record of the dump at path, in the order of the
// file, and for each damaged place; it returns the number of those. It streams: beside
// the names of the dump memory does not grow. Errors: those of File, and of w.
func WriteRecords(ctx context.Context, path string, w io.Writer, o RecordOptions) (damaged int, err error) {
	progress := &progress{to: o.Progress}
	f, err := hprof.Open(ctx, path, progress.phase("inflating", 0, 1))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	outline, err := f.Outline(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer outline.Free()
	buffered := bufio.NewWriterSize(w, 1<<16)
	p := &recordPrinter{
		file: f, names: newRecordNames(outline), o: o, w: buffered,
		objects: hprof.NewObjects(f, f.Header.IDSize), line: line{json: o.JSON},
	}
	err = p.header()
	if err == nil {
		err = f.Walk(ctx, p)
	}
	if errors.Is(err, errEnough) {
		err = nil
	}
	return p.damaged, errors.Join(err, buffered.Flush())
}

// errEnough ends the walk at the limit.
var errEnough = errors.New("as many lines as were asked for")

// recordPrinter writes what a walk over the records meets.
type recordPrinter struct {
	file    *hprof.File
	names   *recordNames
	o       RecordOptions
	w       *bufio.Writer
	objects *hprof.Objects
	line    line
	lines   int
	damaged int
}

// end writes the line that was begun.
func (p *recordPrinter) end() error {
	if _, err := p.w.Write(p.line.done()); err != nil {
		return err
	}
	if p.lines++; p.lines == p.o.Limit {
		return errEnough
	}
	return nil
}

// header writes a line for the file's header.
func (p *recordPrinter) header() error {
	if p.o.From > 0 {
		return nil
	}
	h, l := p.file.Header, &p.line
	l.begin(0, "record", "HEADER", h.Length)
	l.text("version", h.Version)
	l.number("id_size", int64(h.IDSize))
	l.text("created", h.Created.Format("2006-01-02T15:04:05.000Z"))
	return p.end()
}

// Record writes a line for a record, and where asked for its sub-records.
func (p *recordPrinter) Record(ctx context.Context, r hprof.Record) error {
	if r.Offset >= p.o.From {
		l := &p.line
		l.begin(r.Offset, "record", r.Tag.Name(), r.Length)
		l.number("micros", int64(r.Micros))
		p.describe(r)
		if err := p.end(); err != nil {
			return err
		}
	}
	heap := r.Tag == hprof.TagHeapDump || r.Tag == hprof.TagHeapSegment
	if !heap || !p.o.SubRecords || r.Start()+r.Length <= p.o.From {
		return nil
	}
	return p.subRecords(ctx, r.Start(), r.Start()+r.Length)
}

// checkEvery is how many sub-records or objects go by between two looks at the context.
const checkEvery = 1 << 16

// subRecords writes the sub-records in [start, end).
func (p *recordPrinter) subRecords(ctx context.Context, start, end int64) error {
	o := p.objects
	o.Reset(start, end)
	for n := 1; o.Next(); n++ {
		if n%checkEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if o.Offset < p.o.From {
			continue
		}
		p.line.begin(o.Offset, "sub_record", o.Tag.Name(), o.Position()-o.Offset)
		p.describeSub()
		if err := p.end(); err != nil {
			return err
		}
		if o.Tag == hprof.SubClassDump && o.Class.Fault != nil {
			if err := p.Damaged(o.Class.Fault, o.Position()); err != nil {
				return err
			}
		}
	}
	if e := o.Err(); e != nil {
		return p.Damaged(p.file.Lost(e, end), end)
	}
	return nil
}

// shownBytes is how much of what makes no sense, or of a long body, is shown.
const shownBytes = 16

// Damaged writes a line for a damaged place.
func (p *recordPrinter) Damaged(e *hprof.Error, next int64) error {
	p.damaged++
	if e.Offset < p.o.From {
		return nil
	}
	l := &p.line
	l.begin(e.Offset, "damage", "DAMAGE", max(0, next-e.Offset))
	var found [shownBytes]byte
	n, err := p.file.ReadAt(found[:], e.Offset)
	if err != nil && !errors.Is(err, io.EOF) {
		l.text("unreadable", err.Error())
	}
	l.hex("found", found[:n], n)
	l.text("expected", expected(e))
	l.text("fault", fmt.Sprintf("%s: %v", e.What, e.Err))
	l.number("goes_on_at", next)
	return p.end()
}

// expected says what would have made sense at a place of damage.
func expected(e *hprof.Error) string {
	switch {
	case errors.Is(e, hprof.ErrTruncated), errors.Is(e, hprof.ErrOverrun):
		return "more bytes than there are"
	case e.What == "record":
		return "a record: tag 01 to 07, 0a to 0e, 1c or 2c; time, 4 bytes; length, 4 bytes; and a body that fits"
	default:
		return "a sub-record: tag 01 to 08, 20 to 23, ff, or one of Android's; and a body that fits"
	}
}
