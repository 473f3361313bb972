package heap

import "github.com/apm-sidecar/apm-sidecar/internal/hprof"

// tally counts objects by the address of their class: open addressing, linear
// probing. One goroutine each.
type tally struct {
	keys       []uint64
	counts     []count
	used       int
	mask       uint64
	primitives [16]count // by element type
}

// count is what is known of the instances of a class.
type count struct {
	objects int64
	bytes   int64 // shallow bytes, of arrays only
	refs    int64 // elements of object arrays
}

func newTally() *tally { return newTallyOf(1 << 12) }

func newTallyOf(size int) *tally {
	return &tally{keys: make([]uint64, size), counts: make([]count, size), mask: uint64(size - 1)}
}

// slot returns the counter of a class.
func (t *tally) slot(class uint64) *count {
	if class == 0 {
		class = zeroClass
	}
	i := hash(class) & t.mask
	for t.keys[i] != class {
		if t.keys[i] == 0 {
			return t.insert(class, i)
		}
		i = (i + 1) & t.mask
	}
	return &t.counts[i]
}

// has says whether objects of the class were counted.
func (t *tally) has(class uint64) bool {
	for i := hash(class) & t.mask; t.keys[i] != 0; i = (i + 1) & t.mask {
		if t.keys[i] == class {
			return true
		}
	}
	return false
}

// zeroClass stands for the class id 0, which only damaged dumps have.
const zeroClass = ^uint64(0)

func (t *tally) insert(class, i uint64) *count {
	if t.used*2 >= len(t.keys) {
		t.grow()
		return t.slot(class)
	}
	t.used++
	t.keys[i] = class
	return &t.counts[i]
}

func (t *tally) grow() {
	old := *t
	*t = *newTallyOf(2 * len(old.keys))
	t.primitives = old.primitives
	for i, k := range old.keys {
		if k != 0 {
			*t.slot(k) = old.counts[i]
		}
	}
}

func (t *tally) instance(class uint64) { t.slot(class).objects++ }

func (t *tally) array(class uint64, bytes, refs int64) {
	c := t.slot(class)
	c.objects++
	c.bytes += bytes
	c.refs += refs
}

func (t *tally) primitive(elem hprof.Type, bytes int64) {
	c := &t.primitives[elem&15]
	c.objects++
	c.bytes += bytes
}

// add adds the counts of another tally.
func (t *tally) add(u *tally) {
	for i, k := range u.keys {
		if k != 0 {
			t.slot(k).add(u.counts[i])
		}
	}
	for i := range t.primitives {
		t.primitives[i].add(u.primitives[i])
	}
}

func (c *count) add(d count) {
	c.objects += d.objects
	c.bytes += d.bytes
	c.refs += d.refs
}
