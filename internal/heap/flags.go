package heap

import (
	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// flagPlan says where the flag lies in the body of an instance: in so many bytes, none if its class has
// no such field.
type flagPlan struct {
	offset uint32
	width  int
}

// flags tell of instances whether a field is set: true, or an int other than 0.
type flags struct {
	// of tells by ClassID which instances have the field.
	of []bool
	// bits are one for each object. Few pages of them are written to where few are set.
	bits offheap.Array[uint64]
}

// newFlags returns the flags of the planned classes, none of them set; nil where none are asked
// for. Errors: no memory.
func (b *builder) newFlags() (f *flags, err error) {
	if len(b.options.Flags) == 0 {
		return nil, nil
	}
	f = &flags{of: make([]bool, len(b.plans))}
	for i := range b.plans {
		f.of[i] = b.plans[i].flag.width > 0
	}
	f.bits, err = offheap.ReservePlain[uint64](b.memory, b.Objects()/64+1)
	return f, err
}

func (f *flags) free() { f.bits.Free() }

// set is of the objects whose flag is set; plans for memory may move its bits.
func (f *flags) set() *Set { return &Set{f.bits.Items} }

// note notes the flag of an instance with that body. Others do so at the same time.
func (f *flags) note(o ObjID, p flagPlan, body []byte) {
	end := int(p.offset) + p.width
	if end > len(body) {
		return
	}
	for _, b := range body[p.offset:end] {
		if b != 0 {
			f.set().AddAmong(o)
			return
		}
	}
}

// Flag says whether the one of Options.Flags that an instance has is set; ok is false where its
// class has none. One that the dump does not have is not set.
func (g *Graph) Flag(o ObjID) (set, ok bool) {
	if g.flags == nil || !g.flags.of[g.ClassOf(o)] {
		return false, false
	}
	return g.flags.set().Has(o), true
}
