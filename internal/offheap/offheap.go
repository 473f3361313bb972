// Package offheap allocates big arrays outside the garbage collector's heap: they
// are never scanned, take no memory until they are written to, and are given back
// to the system at once.
package offheap

import (
	"os"
	"unsafe"
)

// Array is memory for numbers, all zero at first. The zero Array is empty.
type Array[T Number] struct {
	// Items is the array itself. It must not be used after Free.
	Items []T
	of    *Memory
	raw   []byte
}

// hugeBytes is the size from which an array asks for huge pages. What is read at random
// in hundreds of megabytes waits for the page tables as long as for the memory itself:
// a report on 14 million nodes that refer to each other at random took 14.7 instead of
// 18.9 s. Below it they cost more than they save: a virtual machine may have to ask its
// host for each. From 16 MiB on the same report took 17 s, and others up to a tenth more.
const hugeBytes = 48 << 20

// Number is what an Array may hold, or rows of them: nothing with pointers.
type Number interface {
	~uint8 | ~uint16 | ~uint32 | ~uint64 | ~[3]uint32 | ~[3]uint64
}

// Make returns an array of n items that will all be written to. Without a Memory, nil,
// nobody keeps count of it. Errors: the system refuses the memory.
func Make[T Number](m *Memory, n int) (Array[T], error) {
	a, err := makeArray[T](m, n, true)
	a.adviseHuge()
	return a, err
}

// MakePlain is Make for an array that is walked over in order, or soon done with: it gets pages
// of the usual size, those that others have just given back, however big it is.
func MakePlain[T Number](m *Memory, n int) (Array[T], error) { return makeArray[T](m, n, true) }

// Reserve returns an array of n items of which only a part will be written to: room for
// the worst case. Errors: as Make.
func Reserve[T Number](m *Memory, n int) (Array[T], error) {
	a, err := ReservePlain[T](m, n)
	a.adviseHuge()
	return a, err
}

// ReservePlain is Reserve with pages of the usual size.
func ReservePlain[T Number](m *Memory, n int) (Array[T], error) { return makeArray[T](m, n, false) }

func makeArray[T Number](m *Memory, n int, full bool) (Array[T], error) {
	if n == 0 {
		return Array[T]{}, nil
	}
	var item T
	raw, err := m.allocate(n*int(unsafe.Sizeof(item)), full)
	if err != nil {
		return Array[T]{}, err
	}
	return Array[T]{Items: unsafe.Slice((*T)(unsafe.Pointer(&raw[0])), n), of: m, raw: raw}, nil
}

// Populate has the system give all of the array's memory at once. What is read before it is
// written to would get each page twice: one of zeros, which all cores then have to be told to
// forget.
func (a *Array[T]) Populate() {
	if a.raw != nil && !a.of.inFile(a.raw) {
		populate(a.raw)
	}
}

// adviseHuge asks for huge pages for a big array that is in memory: of one in a file each page
// that is needed would bring its neighbours, two megabytes at a time, up to any limit at once.
func (a *Array[T]) adviseHuge() {
	if len(a.raw) >= hugeBytes && !a.of.inFile(a.raw) {
		adviseHuge(a.raw)
	}
}

// Halves returns the memory of an array as two arrays of as many items each, whatever they are
// then. Both are freed with the first one; a must not be used any more.
func Halves(a *Array[uint64]) (first, second Array[uint32]) {
	n := len(a.Items)
	if n > 0 {
		items := unsafe.Slice((*uint32)(unsafe.Pointer(&a.Items[0])), 2*n)
		first, second.Items = Array[uint32]{items[:n:n], a.of, a.raw}, items[n:]
	}
	*a = Array[uint64]{}
	return first, second
}

// Free gives the memory back. Freeing twice does nothing.
func (a *Array[T]) Free() {
	if a.raw != nil {
		a.of.release(a.raw)
	}
	*a = Array[T]{}
}

// Discard gives back the memory of the items from, ..., to-1: their content is lost, and
// they may be written to again.
func (a *Array[T]) Discard(from, to int) {
	var item T
	size, page := int(unsafe.Sizeof(item)), os.Getpagesize()
	// Whole pages only; arrays begin with one.
	begin, end := (from*size+page-1)&^(page-1), to*size&^(page-1)
	if begin < end {
		forget(a.raw[begin:end])
	}
}

// Prefetch has the processor fetch item i while other work goes on: a walk at random
// over an array of hundreds of megabytes spends most of its time waiting for memory.
func (a *Array[T]) Prefetch(i uint64) { prefetch(unsafe.Pointer(&a.Items[i])) }
