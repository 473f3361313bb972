package hprof

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"sync"

	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// Outline is what the records around the heap say: names, loaded classes,
// stacks, and where the heap's sub-records lie. It is read-only once built.
type Outline struct {
	// Classes are the LOAD_CLASS records in file order.
	Classes LoadedClasses
	// Stacks are those of the threads, and of wherever else traces tell of.
	Stacks *Stacks
	// Extents are the runs of sub-records in file order.
	Extents []Extent
	// Dumps is how many heap dumps the file holds.
	Dumps int
	// Damage lists what could not be read, in file order.
	Damage []*Error

	file  *File
	names [][]nameRef // in the order of the file, in blocks of namesBlock: a JVM has hundred thousands
	byID  func() []nameRef
}

// Extent is a run of sub-records [Start, End) in the uncompressed dump: a heap record, or
// short segments with the headers between them.
type Extent struct {
	Start, End int64
	// Dump is the number of the dump it belongs to, from 0.
	Dump int
}

// Segments of less than shortSegment bytes are joined to runs of some shortRun bytes: no JVM
// writes many such, and an extent for each of a hostile dump's takes more than its bytes do.
const (
	shortSegment = 1 << 10
	shortRun     = 64 << 10
)

// nameRef says where the text of a UTF8 record lies.
type nameRef struct {
	id     uint64
	offset int64
	length uint32
}

// maxName bounds the length of a name that is read: no class or field of a real
// JVM comes near it.
const maxName = 1 << 16

const (
	// maxDescription bounds a record that is read as a whole: a stack of 65,536
	// frames is an eighth of it.
	maxDescription = 4 << 20
	// maxTrace bounds a stack whose length is right: a call that calls itself until the heap is full, on a
	// thread with a stack of 2 GiB, made one of 810,000 frames.
	maxTrace = 64 << 20
)

// Outline reads all records but the insides of the heap; m is what big tables are made from. Damage
// is recorded, and records go on behind it (see Walk); it is not an error. Free gives the memory
// back. Errors: that of ctx; no memory.
func (f *File) Outline(ctx context.Context, m *offheap.Memory) (*Outline, error) {
	o, stacks := &Outline{file: f}, newStackReader(m)
	err := f.Walk(ctx, outliner{o, stacks})
	var noMemory error
	if o.Stacks, noMemory = stacks.finish(); cmp.Or(err, noMemory) != nil {
		o.Free()
		return nil, cmp.Or(err, noMemory)
	}
	o.byID = sync.OnceValue(func() []nameRef { // who reads many names does without
		names := slices.Concat(o.names...)
		slices.SortStableFunc(names, func(a, b nameRef) int { return cmp.Compare(a.id, b.id) })
		return names
	})
	return o, nil
}

// Free gives the memory of big tables back; stacks and classes may not be used afterwards.
func (o *Outline) Free() {
	if o.Stacks != nil {
		o.Stacks.Free()
	}
	o.Classes.rows.Free()
}

// Name returns the text of the UTF8 record id, "" when there is none. Of several the first counts.
func (o *Outline) Name(id uint64) string {
	names := o.byID()
	i, ok := slices.BinarySearchFunc(names, id, func(n nameRef, id uint64) int { return cmp.Compare(n.id, id) })
	if !ok {
		return ""
	}
	buf := make([]byte, min(names[i].length, maxName))
	if _, err := o.file.ReadAt(buf, names[i].offset); err != nil {
		return ""
	}
	return text(buf)
}

// Names yields the texts of those UTF8 records whose ids are wanted, in the order of the file: a JVM's
// lie side by side, in an order that has nothing to do with who uses them.
func (o *Outline) Names(wanted func(id uint64) bool) iter.Seq2[uint64, string] {
	return func(yield func(uint64, string) bool) {
		c := newCursor(o.file, 0, o.file.Size)
		for _, block := range o.names {
			for _, n := range block {
				if !wanted(n.id) {
					continue
				}
				c.skip(n.offset - c.offset())
				if b, err := c.peek(int(min(n.length, maxName))); err == nil && !yield(n.id, text(b)) {
					return
				}
			}
		}
	}
}

// outliner fills an outline with what a walk meets.
type outliner struct {
	*Outline
	stacks *stackReader
}

// Damaged notes the damage.
func (o outliner) Damaged(e *Error, next int64) error {
	if !errors.Is(e, ErrTruncated) {
		e = e.until(next)
	}
	o.Damage = append(o.Damage, e)
	return nil
}

// Record notes extents, names, classes and stacks.
func (o outliner) Record(_ context.Context, r Record) error {
	switch r.Tag {
	case TagHeapDump, TagHeapSegment:
		o.Dumps = r.Dump + 1
		o.extend(r)
	case TagUTF8:
		width := o.file.Header.IDSize
		o.addName(nameRef{r.Body.ID(), r.Start() + int64(width), r.Declared - uint32(width)})
	case TagLoadClass:
		c := LoadedClass{Serial: r.Body.U4(), ID: r.Body.ID()}
		r.Body.U4()
		c.NameID = r.Body.ID()
		if err := o.Classes.add(o.stacks.m, c); err != nil {
			return err
		}
	case TagFrame:
		id, f := r.Body.ID(), Frame{NameID: r.Body.ID()}
		r.Body.ID()
		f.SourceID, f.ClassSerial, f.Line = r.Body.ID(), r.Body.U4(), int32(r.Body.U4())
		o.stacks.frame(id, f)
	case TagTrace:
		serial := r.Body.U4()
		r.Body.U4() // thread
		o.stacks.trace(serial, r.Body.U4(), &r.Body)
	}
	return o.stacks.plan()
}

// namesBlock is how many names a block takes: no growing array is copied, and left behind.
const namesBlock = 1 << 12

// addName notes where a name lies.
func (o *Outline) addName(n nameRef) {
	last := len(o.names) - 1
	if last < 0 || len(o.names[last]) == namesBlock {
		o.names = append(o.names, make([]nameRef, 0, namesBlock))
		last++
	}
	o.names[last] = append(o.names[last], n)
}

// extend adds the body of a heap record to the extents.
func (o *Outline) extend(r Record) {
	end := r.Start() + r.Length
	if n := len(o.Extents); n > 0 && r.Tag == TagHeapSegment && r.Length < shortSegment && r.Length == int64(r.Declared) {
		if last := &o.Extents[n-1]; last.Dump == r.Dump && last.End == r.Offset && last.End-last.Start < shortRun {
			last.End = end
			return
		}
	}
	if r.Length > 0 {
		o.Extents = append(o.Extents, Extent{Start: r.Start(), End: end, Dump: r.Dump})
	}
}
