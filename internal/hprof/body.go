package hprof

import "encoding/binary"

// Body decodes the fields of a record one after the other. What is read behind its end
// is zero; Short tells.
type Body struct {
	b     []byte
	id    int
	short bool
}

// Short says whether more was read than there is.
func (b *Body) Short() bool { return b.short }

// Rest returns the bytes that were not read yet.
func (b *Body) Rest() []byte { return b.b }

// take returns the next n bytes, nil if there are fewer.
func (b *Body) take(n int) []byte {
	if len(b.b) < n {
		b.b, b.short = nil, true
		return nil
	}
	taken := b.b[:n]
	b.b = b.b[n:]
	return taken
}

// U2 reads a number of two bytes.
func (b *Body) U2() uint16 {
	if t := b.take(2); t != nil {
		return binary.BigEndian.Uint16(t)
	}
	return 0
}

// U4 reads a number of four bytes.
func (b *Body) U4() uint32 {
	if t := b.take(4); t != nil {
		return binary.BigEndian.Uint32(t)
	}
	return 0
}

// U8 reads a number of eight bytes.
func (b *Body) U8() uint64 {
	if t := b.take(8); t != nil {
		return binary.BigEndian.Uint64(t)
	}
	return 0
}

// ID reads an id, of the width that the dump's header gives.
func (b *Body) ID() uint64 {
	if b.id == 4 {
		return uint64(b.U4())
	}
	return b.U8()
}
