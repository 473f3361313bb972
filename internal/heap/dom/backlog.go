package dom

import (
	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// backlog holds references (to, from) in buckets of neighbouring targets, so that
// they can be sorted by target one small bucket at a time: a sort over all of them
// would miss the cache with every step. Six bytes a reference.
type backlog struct {
	memory  *offheap.Memory
	beside  *offheap.Beside
	buckets []bucket
	slabs   []slab
	cut     int // chunks taken from the last slab
}

const (
	// bucketNodes is how many targets share a bucket.
	bucketNodes = 1 << 16
	// chunkItems is how many references a bucket takes room for at once, and
	// slabChunks how many such pieces are allocated at once.
	chunkItems = 1 << 11
	slabChunks = 1 << 6
	slabBytes  = 6 * slabChunks * chunkItems
	// smallBacklog is how many bytes of references are kept to the end: to give a piece back
	// stops all cores for a moment, a twentieth of a report's time on three million Finalizers.
	smallBacklog = 72 << 20
)

// bucket holds the references to the targets from its number times bucketNodes on.
type bucket struct {
	chunks []chunk
	used   int // of the last chunk
	n      int // references in all
}

// chunk holds references: to is the target's place in the bucket.
type chunk struct {
	to   []uint16
	from []uint32
	slab int // what it is cut from, and where
	at   int
}

type slab struct {
	to   offheap.Array[uint16]
	from offheap.Array[uint32]
}

func newBacklog(m *offheap.Memory, beside *offheap.Beside, nodes int) backlog {
	return backlog{memory: m, beside: beside, buckets: make([]bucket, nodes/bucketNodes+1), cut: slabChunks}
}

// add notes a reference. Errors: no memory.
func (b *backlog) add(to, from uint32) error {
	k := &b.buckets[to/bucketNodes]
	if k.used == 0 || k.used == chunkItems {
		c, err := b.chunk()
		if err != nil {
			return err
		}
		k.chunks, k.used = append(k.chunks, c), 0
	}
	c := &k.chunks[len(k.chunks)-1]
	c.to[k.used], c.from[k.used] = uint16(to%bucketNodes), from
	k.used++
	k.n++
	return nil
}

// chunk cuts a chunk off the last slab.
func (b *backlog) chunk() (c chunk, err error) {
	if b.cut == slabChunks {
		var s slab
		if s.to, err = offheap.ReservePlain[uint16](b.memory, slabChunks*chunkItems); err != nil {
			return c, err
		}
		if s.from, err = offheap.ReservePlain[uint32](b.memory, slabChunks*chunkItems); err != nil {
			s.to.Free()
			return c, err
		}
		b.slabs, b.cut = append(b.slabs, s), 0
		offheap.PopulateBeside(b.beside, &s.to)
		offheap.PopulateBeside(b.beside, &s.from)
	}
	s, at := b.slabs[len(b.slabs)-1], b.cut*chunkItems
	b.cut++
	return chunk{s.to.Items[at:][:chunkItems], s.from.Items[at:][:chunkItems], len(b.slabs) - 1, at}, nil
}

// newSorted returns room for any bucket. Errors: no memory.
func (b *backlog) newSorted() (*sorted, error) {
	most := 0
	for i := range b.buckets {
		most = max(most, b.buckets[i].n)
	}
	room, err := offheap.ReservePlain[uint32](b.memory, most)
	return &sorted{room: room}, err
}

// take copies the references of bucket i into s, and gives their memory back where all of them
// take much.
func (b *backlog) take(i int, s *sorted) {
	k := &b.buckets[i]
	k.sort(s)
	if len(b.slabs)*slabBytes <= smallBacklog {
		return
	}
	for _, c := range k.chunks {
		b.slabs[c.slab].to.Discard(c.at, c.at+chunkItems)
		b.slabs[c.slab].from.Discard(c.at, c.at+chunkItems)
	}
}

// sorted is a bucket's references by target: those to the target at place i are
// from[start[i]:start[i+1]].
type sorted struct {
	start [bucketNodes + 1]uint32
	from  []uint32
	room  offheap.Array[uint32] // for from
}

// sort copies the references of a bucket into s.
func (k *bucket) sort(s *sorted) {
	clear(s.start[:])
	s.from = s.room.Items[:k.n]
	for i := range k.chunks {
		for _, to := range k.chunks[i].to[:k.length(i)] {
			s.start[to]++
		}
	}
	var sum uint32
	for i := range s.start {
		sum += s.start[i]
		s.start[i] = sum
	}
	for i, c := range k.chunks {
		for j, to := range c.to[:k.length(i)] {
			s.start[to]--
			s.from[s.start[to]] = c.from[j]
		}
	}
}

// length returns how many references chunk i holds.
func (k *bucket) length(i int) int {
	if i == len(k.chunks)-1 {
		return k.used
	}
	return chunkItems
}

func (b *backlog) free() {
	for i := range b.slabs {
		b.slabs[i].to.Free()
		b.slabs[i].from.Free()
	}
	*b = backlog{}
}
