package heap

import "github.com/apm-sidecar/apm-sidecar/internal/hprof"

// tally counts objects by the address of their class: open addressing, linear
// probing. One goroutine each.
type tally struct {
	slots      []tallySlot
	used       int
	mask       uint64
	primitives [16]count // by element type
}

// tallySlot is a class with its counter, in one line of the processor's cache.
type tallySlot struct {
	class uint64 // 0 where the slot is free
	count
}

// count is what is known of the instances of a class.
type count struct {
	objects int64
	bytes   int64 // shallow bytes, of arrays only
	refs    int64 // elements of object arrays
}

func newTally() *tally { return newTallyOf(1 << 12) }

func newTallyOf(size int) *tally {
	return &tally{slots: make([]tallySlot, size), mask: uint64(size - 1)}
}

// slot returns the counter of a class.
func (t *tally) slot(class uint64) *count {
	if class == 0 {
		class = zeroClass
	}
	for i := hash(class) & t.mask; ; i = (i + 1) & t.mask {
		switch s := &t.slots[i]; s.class {
		case class:
			return &s.count
		case 0:
			return t.insert(class, i)
		}
	}
}

// of returns what was counted of a class.
func (t *tally) of(class uint64) count {
	if class == 0 {
		class = zeroClass
	}
	for i := hash(class) & t.mask; t.slots[i].class != 0; i = (i + 1) & t.mask {
		if t.slots[i].class == class {
			return t.slots[i].count
		}
	}
	return count{}
}

// has says whether objects of the class were counted.
func (t *tally) has(class uint64) bool { return class != 0 && t.of(class).objects > 0 }

// zeroClass stands for the class id 0, which only damaged dumps have.
const zeroClass = ^uint64(0)

func (t *tally) insert(class, i uint64) *count {
	if t.used*2 >= len(t.slots) {
		t.grow()
		return t.slot(class)
	}
	t.used++
	t.slots[i].class = class
	return &t.slots[i].count
}

func (t *tally) grow() {
	old := *t
	*t = *newTallyOf(2 * len(old.slots))
	t.primitives = old.primitives
	for _, s := range old.slots {
		if s.class != 0 {
			*t.slot(s.class) = s.count
		}
	}
}

func (t *tally) instance(class uint64) {
	if s := &t.slots[hash(class)&t.mask]; s.class == class && class != 0 { // nearly always
		s.objects++
		return
	}
	t.slot(class).objects++
}

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

// total returns how many objects were counted.
func (t *tally) total() (n int64) {
	for _, s := range t.slots {
		n += s.objects
	}
	for _, c := range t.primitives {
		n += c.objects
	}
	return n
}

// add adds the counts of another tally.
func (t *tally) add(u *tally) {
	for _, s := range u.slots {
		if s.class != 0 {
			t.slot(s.class).add(s.count)
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
