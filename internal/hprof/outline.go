package hprof

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Outline is what the records around the heap say: names, loaded classes,
// stacks, and where the heap's sub-records lie. It is read-only once built.
type Outline struct {
	// Classes are the LOAD_CLASS records in file order.
	Classes []LoadedClass
	Frames  map[uint64]Frame
	// Traces are the stack traces by serial number.
	Traces map[uint32]Trace
	// Extents are the runs of sub-records in file order.
	Extents []Extent
	// Dumps is how many heap dumps the file holds.
	Dumps int
	// Damage lists what could not be read, in file order.
	Damage []*Error

	file  *File
	names []nameRef // sorted by id
}

// LoadedClass is a LOAD_CLASS record: the class object ID has the name NameID.
type LoadedClass struct {
	Serial uint32
	ID     uint64
	NameID uint64
}

// Frame is one frame of a stack.
type Frame struct {
	NameID      uint64
	SourceID    uint64
	ClassSerial uint32
	// Line is the line number; -1 unknown, -2 compiled, -3 native.
	Line int32
}

// Trace is a stack: the ids of its frames, innermost first.
type Trace struct {
	ThreadSerial uint32
	Frames       []uint64
}

// Extent is a run of sub-records [Start, End) in the uncompressed dump.
type Extent struct {
	Start, End int64
	// Dump is the number of the dump it belongs to, from 0.
	Dump int
}

// nameRef says where the text of a UTF8 record lies.
type nameRef struct {
	id     uint64
	offset int64
	length uint32
}

// maxName bounds the length of a name that is read: no class or field of a real
// JVM comes near it.
const maxName = 1 << 16

// maxDescription bounds a record that is read as a whole: a stack of 65,536
// frames is an eighth of it.
const maxDescription = 4 << 20

// Outline reads all records but the insides of the heap. Damage ends the walk
// and is recorded, it is not an error. Errors: that of ctx.
func (f *File) Outline(ctx context.Context) (*Outline, error) {
	o := &Outline{Frames: map[uint64]Frame{}, Traces: map[uint32]Trace{}, file: f}
	if f.Damage != nil {
		defer func() { o.Damage = append(o.Damage, f.Damage) }()
	}
	w := outlineWalk{Outline: o, c: newCursor(f, f.Header.Length, f.Size), id: f.Header.IDSize}
	for n := 0; w.c.left() > 0; n++ {
		if n&0xffff == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		at := w.c.offset()
		err := w.record()
		if err == nil {
			w.before = at
			continue
		}
		o.Damage = append(o.Damage, &Error{Offset: at, What: "record", Err: err})
		from := at + 1
		if w.before > w.suspect { // its length may be at fault: it is suspected once
			w.suspect, from = w.before, w.before+1
		}
		next, err := w.resume(ctx, max(from, w.heapEnd))
		if err != nil {
			return nil, err
		}
		w.c.reset(next, f.Size)
	}
	if !w.ended && f.Damage == nil && len(o.Damage) == 0 && w.segmented {
		o.Damage = append(o.Damage, &Error{Offset: f.Size, What: "heap dump without its end record", Err: ErrTruncated})
	}
	slices.SortFunc(o.names, func(a, b nameRef) int {
		return cmp.Compare(a.id, b.id)
	})
	return o, nil
}

// Name returns the text of the UTF8 record id, "" when there is none.
func (o *Outline) Name(id uint64) string {
	i, ok := slices.BinarySearchFunc(o.names, id, func(n nameRef, id uint64) int {
		return cmp.Compare(n.id, id)
	})
	if !ok {
		return ""
	}
	buf := make([]byte, min(o.names[i].length, maxName))
	if _, err := o.file.ReadAt(buf, o.names[i].offset); err != nil {
		return ""
	}
	return strings.ToValidUTF8(string(buf), "\uFFFD")
}

// outlineWalk is the state of one walk over the records.
type outlineWalk struct {
	*Outline
	c         *cursor
	id        int
	segmented bool // the current dump consists of segments, which have an end record
	ended     bool
	open      bool // a segmented dump is open

	before  int64 // begin of the last record that was read
	suspect int64 // begin of the last one whose length was suspected
	heapEnd int64 // end of the last heap record, of which nothing is read again
}

// record reads one top-level record: u1 tag, u4 microseconds, u4 length, body.
func (w *outlineWalk) record() error {
	h, err := w.c.peek(9)
	if err != nil {
		return err
	}
	tag, length := Tag(h[0]), int64(binary.BigEndian.Uint32(h[5:]))
	if !tag.known() {
		return fmt.Errorf("unknown record tag %#x", h[0])
	}
	if err := w.c.skip(9); err != nil {
		return err
	}
	switch tag {
	case TagHeapDump, TagHeapSegment:
		return w.heap(tag, length)
	case TagHeapEnd:
		w.ended, w.open = true, false
	case TagUTF8, TagLoadClass, TagFrame, TagTrace:
		if length > w.c.left() {
			return ErrTruncated
		}
		return w.description(tag, length)
	}
	return w.c.skip(length)
}

// description reads the body of a record that describes names or stacks.
func (w *outlineWalk) description(tag Tag, length int64) error {
	if tag == TagUTF8 {
		if length < int64(w.id) {
			return fmt.Errorf("name record of %d bytes", length)
		}
		b, err := w.c.peek(w.id)
		if err != nil {
			return err
		}
		w.names = append(w.names, nameRef{w.ref(b), w.c.offset() + int64(w.id), uint32(length - int64(w.id))})
		return w.c.skip(length)
	}
	if length > maxDescription {
		return fmt.Errorf("record %#x of %d bytes, more than any JVM writes", byte(tag), length)
	}
	b, err := w.c.peek(int(length))
	if err != nil {
		return err
	}
	u4 := binary.BigEndian.Uint32
	short := fmt.Errorf("record %#x of %d bytes is too short", byte(tag), length)
	switch tag {
	case TagLoadClass: // u4 serial, id class, u4 trace, id name
		if len(b) < 8+2*w.id {
			return short
		}
		w.Classes = append(w.Classes, LoadedClass{u4(b), w.ref(b[4:]), w.ref(b[8+w.id:])})
	case TagFrame: // id frame, id method, id signature, id source, u4 class, u4 line
		if len(b) < 4*w.id+8 {
			return short
		}
		w.Frames[w.ref(b)] = Frame{
			NameID: w.ref(b[w.id:]), SourceID: w.ref(b[3*w.id:]),
			ClassSerial: u4(b[4*w.id:]), Line: int32(u4(b[4*w.id+4:])),
		}
	case TagTrace: // u4 serial, u4 thread, u4 n, ids
		if len(b) < 12 || int64(len(b)) < 12+int64(u4(b[8:]))*int64(w.id) {
			return short
		}
		t := Trace{ThreadSerial: u4(b[4:])}
		for i := range int(u4(b[8:])) {
			t.Frames = append(t.Frames, w.ref(b[12+i*w.id:]))
		}
		w.Traces[u4(b)] = t
	}
	return w.c.skip(length)
}

// heap notes the extent of a heap record.
func (w *outlineWalk) heap(tag Tag, length int64) error {
	start, left := w.c.offset(), w.c.left()
	switch {
	case length == 0 && !w.plausible(start):
		// The JVM died before it wrote the length back: all that follows is heap.
		length = left
	case tag == TagHeapDump && length < left && !w.plausible(start+length):
		// JDK 8 writes the low 32 bits of a length beyond 4 GiB.
		for n := length + 1<<32; n <= left; n += 1 << 32 {
			if w.plausible(start + n) {
				length = n
				break
			}
		}
	}
	if tag == TagHeapDump || !w.open {
		w.Dumps++
	}
	w.open, w.segmented, w.ended = tag == TagHeapSegment, tag == TagHeapSegment, false
	end := start + min(length, left)
	if end > start {
		w.Extents = append(w.Extents, Extent{Start: start, End: end, Dump: w.Dumps - 1})
		w.heapEnd = end
	}
	if length > left {
		w.c.reset(end, end)
		return fmt.Errorf("heap record of %d bytes, %d left: %w", length, left, ErrTruncated)
	}
	return w.c.skip(length)
}

// plausible says whether records begin at offset at: the end of the file, or
// three headers in a row that make sense.
func (w *outlineWalk) plausible(at int64) bool {
	var h [9]byte
	for range 3 {
		if at == w.c.end {
			return true
		}
		if n, _ := w.file.ReadAt(h[:], at); n < len(h) || !Tag(h[0]).known() {
			return false
		}
		at += 9 + int64(binary.BigEndian.Uint32(h[5:]))
		if at > w.c.end {
			return false
		}
	}
	return true
}

const (
	// maxResume bounds how far the next record is looked for behind a damaged one,
	// and maxDamage how many damaged ones are put up with.
	maxResume = 64 << 20
	maxDamage = 100
)

// resume returns where records go on behind damage, the end of the file if nowhere.
// What follows a heap record that is cut off is no record.
func (w *outlineWalk) resume(ctx context.Context, from int64) (int64, error) {
	end := w.c.end
	if len(w.Damage) >= maxDamage || w.c.left() == 0 {
		return end, nil
	}
	buf := make([]byte, blockSize)
	for base := from; base < min(end, from+maxResume); base += blockSize {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		n, err := w.file.ReadAt(buf, base)
		if err != nil && !errors.Is(err, io.EOF) {
			return end, nil // what cannot be read ends the walk; the damage listed tells
		}
		for i, b := range buf[:n] {
			if Tag(b).known() && w.plausible(base+int64(i)) {
				return base + int64(i), nil
			}
		}
	}
	return end, nil
}

func (w *outlineWalk) ref(b []byte) uint64 {
	if w.id == 4 {
		return uint64(binary.BigEndian.Uint32(b))
	}
	return binary.BigEndian.Uint64(b)
}
