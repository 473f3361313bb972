package hprof

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
)

const (
	// maxResume bounds how far the next record is looked for behind a damaged one,
	// maxDamage how many damaged ones are put up with, and maxTries at how many places
	// behind each it is looked whether records begin: that costs a read.
	maxResume = 64 << 20
	maxDamage = 100
	maxTries  = 1 << 19
	// maxUnknown bounds the records of unknown kinds behind one of them.
	maxUnknown = 3
)

// plausible says whether records begin at offset at: the end of the file, or
// three headers in a row that make sense.
func (w *walk) plausible(at int64) bool { return w.begin(at, 0) }

// begin is plausible where, behind the first, so many headers have unknown tags at most.
func (w *walk) begin(at int64, unknown int) bool {
	var h [headerLength]byte
	for known := 0; known < 3; {
		if at == w.c.end {
			return true
		}
		n, _ := w.file.ReadAt(h[:], at)
		switch {
		case n < len(h):
			return false
		case Tag(h[0]).known():
			known++
		case known > 0 && unknown > 0:
			unknown--
		default:
			return false
		}
		at += headerLength + int64(binary.BigEndian.Uint32(h[5:]))
		if at > w.c.end {
			return false
		}
	}
	return true
}

// errRecord is the fault of a record whose length may be right nevertheless: it is of a kind that no version of the
// format has, or what it consists of does not fit.
type errRecord struct {
	length int64 // of the body
	fault  string
}

func (e errRecord) Error() string { return e.fault }

// behind returns where the record at an offset ends if its length is not at fault and records
// go on there, else 0.
func (w *walk) behind(at int64, fault error) int64 {
	var faulty errRecord
	if !errors.As(fault, &faulty) || w.damaged >= maxDamage {
		return 0
	}
	if end := at + headerLength + faulty.length; end <= w.c.end && w.begin(end, maxUnknown) {
		return end
	}
	return 0
}

// mayBegin tells from the bytes at an offset whether a record may begin there: its tag is
// known, and it ends within the dump. Fewer bytes than a header may be anything.
func (w *walk) mayBegin(b []byte, at int64) bool {
	if !Tag(b[0]).known() {
		return false
	}
	return len(b) < headerLength || at+headerLength+int64(binary.BigEndian.Uint32(b[5:])) <= w.c.end
}

// resume returns where records go on behind damage, the end of the file if nowhere.
// What follows a heap record that is cut off is no record.
func (w *walk) resume(ctx context.Context, from int64) (int64, error) {
	end := w.c.end
	if w.damaged >= maxDamage || w.c.left() == 0 {
		return end, nil
	}
	buf, tries := make([]byte, blockSize), 0
	for base := from; base < min(end, from+maxResume); base += blockSize {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		n, err := w.file.ReadAt(buf, base)
		if err != nil && !errors.Is(err, io.EOF) {
			return end, nil // what cannot be read ends the walk; the damage listed tells
		}
		for i := range n {
			at := base + int64(i)
			if !w.mayBegin(buf[i:n], at) {
				continue
			}
			if tries++; tries > maxTries {
				return end, nil
			}
			if w.plausible(at) {
				return at, nil
			}
		}
	}
	return end, nil
}
