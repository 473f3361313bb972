package hprof

import "io"

const (
	// blockSize is how much is read at once where reading goes on and on.
	blockSize = 1 << 20
	// firstRead is how much is read after a jump: often only a header is wanted.
	firstRead = 1 << 10
	// shortPart is the size of a part that is read at once as a whole.
	shortPart = 64 << 10
	// shortJump is a jump behind which reading goes on as before: most often over the
	// rest of a small object that the window cut in two.
	shortJump = 16 << 10
)

// cursor is a forward position in the dump with a window of bytes already read.
// Slices it hands out are valid until its next call.
type cursor struct {
	r    io.ReaderAt
	buf  []byte // window; buf[pos:] is not yet consumed
	pos  int
	base int64  // offset in the dump of buf[0]
	end  int64  // where the readable part ends
	next int    // how much the next fill asks for
	mem  []byte // what buf is cut from; grows to blockSize, or what was peeked at
}

func newCursor(r io.ReaderAt, start, end int64) *cursor {
	c := &cursor{r: r}
	c.reset(start, end)
	return c
}

// reset moves the cursor to start and lets it go no further than end.
func (c *cursor) reset(start, end int64) {
	c.buf, c.pos, c.base, c.end, c.next = c.mem[:0], 0, start, end, firstRead
	if part := end - start; part <= shortPart {
		c.next = max(firstRead, int(part))
	}
}

// offset returns the position in the dump.
func (c *cursor) offset() int64 { return c.base + int64(c.pos) }

// left returns how many bytes lie between the position and the end.
func (c *cursor) left() int64 { return c.end - c.offset() }

// peek returns the next n bytes without consuming them, or ErrTruncated where
// the dump has fewer, or the error of the file. n is at most blockSize unless
// the caller has checked it against left().
func (c *cursor) peek(n int) ([]byte, error) {
	if len(c.buf)-c.pos < n {
		if err := c.fill(n); err != nil {
			return nil, err
		}
	}
	return c.buf[c.pos : c.pos+n], nil
}

// fill makes at least n bytes available.
func (c *cursor) fill(n int) error {
	if c.left() < int64(n) {
		return ErrTruncated
	}
	have := copy(c.mem, c.buf[c.pos:])
	c.base, c.pos = c.base+int64(c.pos), 0
	want := max(n, min(have+c.next, blockSize))
	want = int(min(int64(want), c.end-c.base))
	c.next = min(c.next*4, blockSize)
	if want > len(c.mem) {
		grown := make([]byte, want)
		copy(grown, c.mem[:have])
		c.mem = grown
	}
	got, err := c.r.ReadAt(c.mem[have:want], c.base+int64(have))
	c.buf = c.mem[:have+got]
	if len(c.buf) < n {
		if err == nil || err == io.EOF {
			err = ErrTruncated
		}
		return err
	}
	return nil
}

// skip moves the position by n bytes, from 0 to left(); beyond the window nothing is read.
func (c *cursor) skip(n int64) {
	if n <= int64(len(c.buf)-c.pos) {
		c.pos += int(n)
		return
	}
	if n > shortJump {
		c.next = firstRead
	}
	c.buf, c.pos, c.base = c.mem[:0], 0, c.offset()+n
}
