package offheap

import (
	"encoding/binary"
	"math/bits"
)

// Narrow is an array of numbers that take as many whole bytes each as the greatest of them
// needs. The zero Narrow is empty.
type Narrow struct {
	bytes Array[uint8]
	width int // bytes of a number
	mask  uint32
}

// word is how many bytes are read at once.
const word = 4

// MakeNarrow returns an array of n numbers up to most, soon done with as that of MakePlain.
// Errors: the system refuses the memory.
func MakeNarrow(m *Memory, n int, most uint32) (Narrow, error) {
	width := max((bits.Len32(most)+7)/8, 1)
	b, err := MakePlain[uint8](m, n*width+word-width)
	return Narrow{b, width, ^uint32(0) >> (8 * (word - width))}, err
}

// At returns number i.
func (a *Narrow) At(i int) uint32 {
	return binary.LittleEndian.Uint32(a.bytes.Items[i*a.width:]) & a.mask
}

// Set sets number i to v, which must not be greater than what MakeNarrow was told. Nothing is
// read: see Populate.
func (a *Narrow) Set(i int, v uint32) {
	at := a.bytes.Items[i*a.width:]
	switch a.width {
	case 1:
		at[0] = uint8(v)
	case 2:
		binary.LittleEndian.PutUint16(at, uint16(v))
	case 3:
		binary.LittleEndian.PutUint16(at, uint16(v))
		at[2] = uint8(v >> 16)
	default:
		binary.LittleEndian.PutUint32(at, v)
	}
}

// Free gives the memory back. Freeing twice does nothing.
func (a *Narrow) Free() { a.bytes.Free() }
