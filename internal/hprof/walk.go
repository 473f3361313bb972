package hprof

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
)

// Record is a top-level record: u1 tag, u4 microseconds, u4 length, body.
type Record struct {
	Tag Tag
	// Offset is where the record begins in the uncompressed dump.
	Offset int64
	// Micros is when it was written, in microseconds after the dump was begun; it
	// wraps after 71 minutes.
	Micros uint32
	// Declared is the length that the header gives, and Length the one that the body
	// has: of heap records the two may differ.
	Declared uint32
	Length   int64
	// Dump is the number of the dump that a heap record belongs to, from 0.
	Dump int
	// Body is what follows the header, at most maxDescription bytes (of stacks maxTrace) and nothing of heap
	// records. It is valid while the record is visited.
	Body Body
}

// headerLength is the length of a record's header.
const headerLength = 9

// Start returns where the body begins.
func (r Record) Start() int64 { return r.Offset + headerLength }

// Visitor is told what a walk over the records of a dump meets.
type Visitor interface {
	// Record is told of a record. Its error ends the walk.
	Record(ctx context.Context, r Record) error
	// Damaged is told of damage, and where reading goes on: at the end of the dump if
	// nothing behind it makes sense, before it where the record before it lied about
	// its length. Its error ends the walk.
	Damaged(e *Error, next int64) error
}

// Walk tells v of all records in the order of the file, but for the insides of the
// heap, and of all damage around them. A file of names and classes alone was cut off before
// its heap, which counts as damage. Errors: those of ctx and v.
func (f *File) Walk(ctx context.Context, v Visitor) error {
	w := walk{file: f, to: v, c: newCursor(f, f.Header.Length, f.Size), id: f.Header.IDSize}
	for n := 0; w.c.left() > 0; n++ {
		if n&0xffff == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		at := w.c.offset()
		fault, err := w.record(ctx)
		if err != nil {
			return err
		}
		if fault == nil {
			w.before = at
			continue
		}
		w.damaged++
		from := at + 1
		if w.before > w.suspect { // its length may be at fault: it is suspected once
			w.suspect, from = w.before, w.before+1
		}
		next := w.behind(at, fault)
		if next == 0 {
			if next, err = w.resume(ctx, max(from, w.heapEnd)); err != nil {
				return err
			}
		}
		if err := v.Damaged(&Error{Offset: at, What: "record", Err: fault}, next); err != nil {
			return err
		}
		w.c.reset(next, f.Size)
	}
	if !w.ended && f.Damage == nil && w.damaged == 0 && w.segmented {
		return v.Damaged(&Error{Offset: f.Size, What: "heap dump without its end record", Err: ErrTruncated}, f.Size)
	}
	if f.Damage != nil {
		return v.Damaged(f.Damage, f.Size)
	}
	if w.dumps == 0 && !w.other && w.damaged == 0 {
		return v.Damaged(&Error{f.Size, "heap, which would begin", ErrTruncated}, f.Size)
	}
	return nil
}

// walk is the state of one walk over the records.
type walk struct {
	file      *File
	to        Visitor
	c         *cursor
	id        int
	dumps     int
	damaged   int  // places
	segmented bool // the current dump consists of segments, which have an end record
	ended     bool
	other     bool // the file tells of something else than a heap, such as where the processor's time went
	open      bool // a segmented dump is open

	before  int64 // begin of the last record that was read
	suspect int64 // begin of the last one whose length was suspected
	heapEnd int64 // end of the last heap record, of which nothing is read again
}

// record reads one record. fault is what is wrong with it, err that of the visitor.
func (w *walk) record(ctx context.Context) (fault, err error) {
	r := Record{Offset: w.c.offset()}
	h, fault := w.c.peek(headerLength)
	if fault != nil {
		return fault, nil
	}
	r.Tag, r.Micros, r.Declared = Tag(h[0]), binary.BigEndian.Uint32(h[1:]), binary.BigEndian.Uint32(h[5:])
	r.Length = int64(r.Declared)
	if !r.Tag.known() {
		return errRecord{r.Length, fmt.Sprintf("unknown record tag %#x", byte(r.Tag))}, nil
	}
	w.c.skip(headerLength)
	switch r.Tag {
	case TagHeapDump, TagHeapSegment:
		return w.heap(ctx, r)
	}
	if left := w.c.left(); r.Length > left {
		return fmt.Errorf("record %#x of %d bytes, %d left: %w", byte(r.Tag), r.Length, left, ErrTruncated), nil
	}
	r.Body = Body{id: w.id}
	most := int64(maxDescription)
	if r.Tag == TagTrace && r.Length > most {
		if r.Body.b, fault = w.c.peek(traceHead); fault != nil {
			return fault, nil
		}
		if r.deepStack() {
			most = maxTrace
		}
	}
	if r.Body.b, fault = w.c.peek(int(min(r.Length, most))); fault != nil {
		return fault, nil
	}
	if fault := r.check(most); fault != nil {
		return fault, nil
	}
	switch r.Tag {
	case TagHeapEnd:
		w.ended, w.open = true, false
	case TagAllocSites, TagCPUSamples:
		w.other = true
	}
	if err := w.to.Record(ctx, r); err != nil {
		return nil, err
	}
	w.c.skip(r.Length)
	return nil, nil
}

// traceHead is how long a stack's record is without its frames: u4 serial, u4 thread, u4 n.
const traceHead = 12

// deepStack says whether a record of which the head is known is exactly as long as its frames are.
func (r Record) deepStack() bool {
	b := r.Body
	b.U8()
	return r.Length <= maxTrace && r.Length == traceHead+int64(b.U4())*int64(r.Body.id)
}

const (
	// maxFixed bounds a record of a fixed length: of 56 bytes at most, but who knows who adds something.
	maxFixed = 1 << 10
	// maxText bounds that of a text: no name in a class file is longer than a quarter of it.
	maxText = 256 << 10
)

// check judges the length of a record other than a heap record, of which bytes up to most are read. One that
// is too long may be a heap record whose tag is damaged.
func (r Record) check(most int64) error {
	id, least, b := int64(r.Body.id), int64(0), r.Body
	switch r.Tag {
	case TagUTF8: // id, text
		least, most = id, id+maxText
	case TagLoadClass: // u4 serial, id class, u4 trace, id name
		least, most = 8+2*id, maxFixed
	case TagFrame: // id frame, id method, id signature, id source, u4 class, u4 line
		least, most = 8+4*id, maxFixed
	case TagTrace: // u4 serial, u4 thread, u4 n, ids
		b.U8()
		least = traceHead + int64(b.U4())*id
	case TagAllocSites: // 30 bytes, u4 n, 25 bytes each
		b.take(30)
		least = 25 * int64(b.U4())
		most = 34 + least
	case TagCPUSamples: // u4 samples, u4 n, 8 bytes each
		b.U4()
		least = 8 * int64(b.U4())
		most = 8 + least
	default:
		most = maxFixed
	}
	switch {
	case r.Length < least:
		return errRecord{r.Length, fmt.Sprintf("record %#x of %d bytes, at least %d expected", byte(r.Tag), r.Length, least)}
	case r.Length > most:
		return errRecord{r.Length, fmt.Sprintf("record %#x of %d bytes, more than any JVM writes", byte(r.Tag), r.Length)}
	}
	return nil
}

// heap finds the end of a heap record.
func (w *walk) heap(ctx context.Context, r Record) (fault, err error) {
	start, left := w.c.offset(), w.c.left()
	switch {
	case r.Length == 0 && !w.plausible(start):
		// The JVM died before it wrote the length back, and all that follows is heap; or the length is damaged.
		if err := w.measure(ctx, &r, "its length was not written"); err != nil {
			return nil, err
		}
	case r.Length < left && (r.Tag == TagHeapDump || r.Length+1<<32 <= left) && !w.plausible(start+r.Length):
		// JDK 8 writes the low 32 bits of a length beyond 4 GiB, of a segment with a big array, too.
		n := r.Length + 1<<32
		for n <= left && !w.plausible(start+n) {
			n += 1 << 32
		}
		if n <= left {
			r.Length = n
		} else if r.Tag == TagHeapDump { // and the file was cut off, if a sub-record goes on behind its end
			ended, err := w.heapFault(ctx, start, start+r.Length)
			if err == nil && ended != nil && errors.Is(ended, ErrOverrun) {
				err = w.measure(ctx, &r, "its length is not right")
			}
			if err != nil {
				return nil, err
			}
		}
	}
	if r.Tag == TagHeapDump && w.open && w.damaged == 0 {
		e := &Error{Offset: r.Offset, What: "heap dump without its end record", Err: errors.New("another one begins")}
		if err := w.to.Damaged(e, r.Offset); err != nil {
			return nil, err
		}
	}
	if r.Tag == TagHeapDump || !w.open {
		w.dumps++
	}
	w.open, w.segmented, w.ended = r.Tag == TagHeapSegment, r.Tag == TagHeapSegment, false
	claimed := r.Length
	r.Dump, r.Length = w.dumps-1, min(claimed, left)
	end := start + r.Length
	if r.Length > 0 {
		w.heapEnd = end
	}
	if err := w.to.Record(ctx, r); err != nil {
		return nil, err
	}
	if claimed > left {
		w.c.reset(end, end)
		return fmt.Errorf("heap record of %d bytes, %d left: %w", claimed, left, ErrTruncated), nil
	}
	w.c.skip(r.Length)
	return nil, nil
}

// measure sets the length of a heap record whose header does not tell it: up to where records begin, or the
// file ends. Errors: those of ctx and the visitor.
func (w *walk) measure(ctx context.Context, r *Record, fault string) error {
	r.Length = w.c.end - r.Start()
	ended, err := w.heapFault(ctx, r.Start(), w.c.end)
	if err != nil {
		return err
	}
	if ended != nil && w.plausible(ended.Offset) {
		r.Length = ended.Offset - r.Start()
	}
	e := fmt.Errorf("%s; what follows is taken for it, %d bytes", fault, r.Length)
	return w.to.Damaged(&Error{Offset: r.Offset, What: "heap record", Err: e}, r.Offset)
}

// heapFault returns what ends a walk over the sub-records in [start, end) before the end, nil if nothing does.
// Errors: that of ctx.
func (w *walk) heapFault(ctx context.Context, start, end int64) (*Error, error) {
	o := NewObjects(w.file, w.id)
	o.Reset(start, end)
	for n := 1; o.Next(); n++ {
		if n&0xffff == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return o.Err(), nil
}
