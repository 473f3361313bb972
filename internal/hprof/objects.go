package hprof

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Objects walks over the sub-records of an extent. After Next returned true the
// exported fields describe the current sub-record; those that its kind does not
// have are stale. An Objects serves one goroutine.
type Objects struct {
	Tag SubTag
	// Offset is where the sub-record begins in the uncompressed dump.
	Offset int64
	// ID is the object, array, class or root.
	ID uint64
	// ClassID is the class of an instance or object array.
	ClassID uint64
	// Count is the number of elements of an array, or of bytes of an instance.
	Count uint32
	// Elem is the element type of a primitive array.
	Elem Type
	// Thread and Frame belong to roots on a thread's stack. Frame is -1 for none;
	// of SubRootThread it is the serial number of the stack trace.
	Thread uint32
	Frame  int32
	// Class is the body of a class dump, valid until the next call of Next.
	Class ClassDump

	c    *cursor
	id   int
	body int64 // bytes of the current body not yet consumed
	err  *Error
}

// ClassDump is the body of a class dump sub-record.
type ClassDump struct {
	// Trace is the serial number of the stack trace, 0 for none.
	Trace         uint32
	Super, Loader uint64
	// InstanceSize is what the JVM wrote, usually the sum of the fields' widths.
	InstanceSize uint32
	Statics      []StaticField
	// Fields are the class's own instance fields in the order of an instance's body.
	Fields []Field
	// Fault is that a field has a type which no version of the format has, nil as a rule. How
	// wide it is, and where those behind it lie in a body, is not known: Fields are those before.
	Fault *Error
	// Others are the remaining references of the class object: signers and
	// protection domain.
	Others [2]uint64
}

// Field is an instance field.
type Field struct {
	NameID uint64
	Type   Type
}

// StaticField is a static field with its value, a reference or the raw bits.
type StaticField struct {
	Field
	Value uint64
}

// NewObjects returns a walk over nothing; Reset gives it an extent.
func NewObjects(r io.ReaderAt, idSize int) *Objects {
	return &Objects{c: newCursor(r, 0, 0), id: idSize}
}

// Reset begins a walk over the sub-records in [start, end).
func (o *Objects) Reset(start, end int64) {
	o.c.reset(start, end)
	o.body, o.err = 0, nil
}

// Position returns the offset up to which sub-records have been read: the begin
// of the next one, unless the body of the current one is not consumed.
func (o *Objects) Position() int64 { return o.c.offset() + o.body }

// Head returns the fields of the current sub-record between its tag and its body, as
// they lie in the dump; nothing of a class dump, whose fields are in Class. It is to be
// asked for before the body.
func (o *Objects) Head() Body {
	if o.Tag == SubClassDump {
		return Body{id: o.id}
	}
	return Body{b: o.c.buf[o.Offset-o.c.base+1 : o.c.pos], id: o.id}
}

// Ahead returns the bytes of the following sub-records that are read already, valid
// until the next call, for loops that count millions of small ones. The body of the
// current sub-record is skipped.
func (o *Objects) Ahead() []byte {
	if o.body > int64(len(o.c.buf)-o.c.pos) || o.err != nil {
		return nil
	}
	o.c.pos += int(o.body)
	o.body = 0
	return o.c.buf[o.c.pos:]
}

// Consume moves over the first n of the bytes that Ahead returned: whole sub-records.
func (o *Objects) Consume(n int) { o.c.pos += n }

// Err returns what ended the walk before the end of the extent, nil if nothing did.
func (o *Objects) Err() *Error { return o.err }

// Next moves to the next sub-record and returns false at the end of the extent
// or at damage (see Err).
func (o *Objects) Next() bool {
	if o.err != nil {
		return false
	}
	c := o.c
	if o.body > 0 {
		if o.body <= int64(len(c.buf)-c.pos) {
			c.pos += int(o.body)
		} else {
			c.skip(o.body)
		}
		o.body = 0
	}
	// The longest fixed part is that of an instance: tag, id, trace, class, length.
	if len(c.buf)-c.pos < 32 {
		left := c.left()
		if left <= 0 {
			return false
		}
		if err := c.fill(int(min(left, 32))); err != nil {
			o.Offset = c.offset()
			return o.fail("sub-record", err)
		}
	}
	o.Offset = c.offset()
	b := c.buf[c.pos:]
	o.Tag = SubTag(b[0])
	b = b[1:]
	switch o.Tag {
	case SubInstance: // id, u4 trace, id class, u4 bytes, body
		if len(b) < 8+2*o.id {
			return o.fail("instance", ErrTruncated)
		}
		if o.id == 8 {
			o.ID = binary.BigEndian.Uint64(b)
			o.ClassID = binary.BigEndian.Uint64(b[12:])
			o.Count = binary.BigEndian.Uint32(b[20:])
			c.pos += 25
		} else {
			o.ID = uint64(binary.BigEndian.Uint32(b))
			o.ClassID = uint64(binary.BigEndian.Uint32(b[8:]))
			o.Count = binary.BigEndian.Uint32(b[12:])
			c.pos += 17
		}
		return o.hasBody("instance", int64(o.Count))
	case SubObjectArray: // id, u4 trace, u4 n, id class, ids
		if len(b) < 8+2*o.id {
			return o.fail("object array", ErrTruncated)
		}
		o.ID = o.ref(b)
		o.Count = binary.BigEndian.Uint32(b[o.id+4:])
		o.ClassID = o.ref(b[o.id+8:])
		c.pos += 9 + 2*o.id
		return o.hasBody("object array", int64(o.Count)*int64(o.id))
	case SubPrimArray, SubPrimArrayNoData: // id, u4 trace, u4 n, u1 type, elements
		if len(b) < 9+o.id {
			return o.fail("primitive array", ErrTruncated)
		}
		o.ID = o.ref(b)
		o.Count = binary.BigEndian.Uint32(b[o.id+4:])
		o.Elem = Type(b[o.id+8])
		width := o.Elem.Width(0)
		if width == 0 {
			return o.fail("primitive array", fmt.Errorf("unknown element type %d", o.Elem))
		}
		c.pos += 10 + o.id
		if o.Tag == SubPrimArrayNoData {
			return true
		}
		return o.hasBody("primitive array", int64(o.Count)*int64(width))
	case SubClassDump:
		return o.classDump()
	}
	return o.root(b)
}

// hasBody notes that n bytes of body follow, or fails where they do not.
func (o *Objects) hasBody(what string, n int64) bool {
	if n > int64(len(o.c.buf)-o.c.pos) && n > o.c.left() {
		return o.fail(what, overrunError{n, o.c.left()})
	}
	o.body = n
	return true
}

// fail ends the walk.
func (o *Objects) fail(what string, err error) bool {
	if errors.Is(err, ErrTruncated) {
		err = ErrOverrun
	}
	o.err = &Error{Offset: o.Offset, What: what, Err: err}
	return false
}

// Body returns the whole body of the current instance or array, valid until the
// next call, or nil if it is longer than limit (then Chunk reads it in pieces).
func (o *Objects) Body(limit int) []byte {
	if o.body > int64(limit) {
		return nil
	}
	return o.take(int(o.body))
}

// First returns the first bytes of the current body, all of them or as many as limit, which is at most
// 1 MiB. They are valid until the next call.
func (o *Objects) First(limit int) []byte { return o.take(int(min(o.body, int64(limit)))) }

// Chunk returns the next piece of the current body, a multiple of 8 bytes but for
// the last one, or nil at its end. It is valid until the next call.
func (o *Objects) Chunk() []byte {
	n := int64(len(o.c.buf)-o.c.pos) &^ 7
	if n < 8 {
		n = blockSize
	}
	return o.take(int(min(n, o.body)))
}

func (o *Objects) take(n int) []byte {
	if n == 0 || o.err != nil {
		return nil
	}
	b, err := o.c.peek(n)
	if err != nil {
		o.fail("body", err)
		return nil
	}
	o.c.pos += n
	o.body -= int64(n)
	return b
}

// rootSize returns the length of a root's body after the tag, -1 for unknown tags.
func rootSize(t SubTag, id int) int {
	switch t {
	case SubRootUnknown, SubRootStickyClass, SubRootMonitor, SubRootInterned, SubRootFinalizing,
		SubRootDebugger, SubRootRefCleanup, SubRootVMInternal, SubUnreachable:
		return id
	case SubRootJNIGlobal:
		return 2 * id
	case SubRootJNILocal, SubRootJavaFrame, SubRootThread, SubRootJNIMonitor:
		return id + 8
	case SubRootNativeStack, SubRootThreadBlock, SubHeapInfo:
		return id + 4
	}
	return -1
}

// root decodes a GC root whose body begins at b.
func (o *Objects) root(b []byte) bool {
	n := rootSize(o.Tag, o.id)
	if n < 0 && o.segments() {
		return o.Next()
	}
	if n < 0 {
		return o.fail("heap", fmt.Errorf("unknown sub-record tag %#x", byte(o.Tag)))
	}
	if len(b) < n {
		return o.fail("root", ErrTruncated)
	}
	o.Thread, o.Frame = 0, -1
	if o.Tag == SubHeapInfo { // u4 heap, id name
		o.ID = 0
	} else {
		o.ID = o.ref(b)
		ofThread := o.Tag != SubRootJNIGlobal // which has another id behind
		if ofThread && n > o.id {
			o.Thread = binary.BigEndian.Uint32(b[o.id:])
		}
		if ofThread && n == o.id+8 {
			o.Frame = int32(binary.BigEndian.Uint32(b[o.id+4:]))
		}
	}
	o.c.pos += 1 + n
	return true
}

// segments moves over the headers of the next segments of a run, see Extent, and says whether there
// were any. A walk over a part of the run may end within a segment.
func (o *Objects) segments() (found bool) {
	for {
		h, err := o.c.peek(headerLength)
		if err != nil || Tag(h[0]) != TagHeapSegment || binary.BigEndian.Uint32(h[5:]) >= shortSegment {
			return found
		}
		o.c.pos += headerLength
		found = true
	}
}

func (o *Objects) ref(b []byte) uint64 {
	if o.id == 4 {
		return uint64(binary.BigEndian.Uint32(b))
	}
	return binary.BigEndian.Uint64(b)
}
