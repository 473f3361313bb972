package heap

import (
	"context"
	"slices"
	"unsafe"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
)

// linkPlan is what the second pass needs to know of a class.
type linkPlan struct {
	refs []uint32 // offsets in the body of the references that are edges
	end  int      // how long a body is that has them all
	// class is the class object if instances must keep it alive, else 0.
	class ObjID
	// kind is the kind of all instances, arrays excepted.
	kind   uint32
	tables []tablePlan
	flag   flagPlan
	// locals is true where locals of a stack are references of an instance.
	locals bool
}

// planClasses prepares what the second pass needs of each class and returns an
// upper bound for the number of references. Errors: that of ctx; no memory.
func (b *builder) planClasses(ctx context.Context) (bound uint64, err error) {
	refs, all := b.refFieldCounts()
	if err := b.PlanNotes("planning references", all*int64(unsafe.Sizeof(linkPlan{}.refs[0]))); err != nil {
		return 0, err
	}
	sticky := map[ObjID]bool{}
	for r := range b.Roots.All() {
		if r.Kind == hprof.SubRootStickyClass {
			sticky[r.Object] = true
		}
	}
	b.plans = make([]linkPlan, len(b.Classes))
	err = onAllCores(ctx, len(b.Classes), func(i int) {
		c, p, id := &b.Classes[i], &b.plans[i], ClassID(i)
		// An edge to an object that is a root itself changes nothing: not reachability,
		// not dominators. Leaving those out spares most instances one edge.
		if !sticky[c.Object] && (c.array == 0 || c.array == hprof.TypeObject || b.rules.arraysHoldClass()) {
			p.class = c.Object
		}
		p.locals = len(b.locals) > 0 && b.IsSubclass(id, "java.lang.Thread")
		if !c.instanceless() {
			p.refs = make([]uint32, 0, refs[id])
			b.planFields(id, p)
		}
		p.tables = b.tablePlans(id)
	})
	for i := range b.Classes {
		c, p := &b.Classes[i], &b.plans[i]
		p.kind = b.kinds.number(kindOf(ClassID(i), c.instance))
		bound += uint64(c.Instances)*uint64(len(p.refs)+2) + uint64(len(c.Statics)+5)
	}
	for _, l := range b.locals {
		bound += uint64(len(l))
	}
	return bound + b.arrayRefs, err
}

// refFieldCounts returns how many reference fields the instances of each class have at most, by ClassID, 0
// where there are none, and how many that are in all. A class has those of its superclasses, too: in a hostile
// dump of a megabyte they may be a billion.
func (g *Graph) refFieldCounts() (counts []uint32, all int64) {
	own := make([]uint32, len(g.Classes))
	for i := range g.Classes {
		for _, f := range g.Classes[i].Fields {
			if f.Type == hprof.TypeObject {
				own[i]++
			}
		}
	}
	counts = make([]uint32, len(g.Classes))
	for i := range g.Classes {
		if g.Classes[i].instanceless() {
			continue
		}
		c := ClassID(i)
		for range maxHierarchy {
			if c == NoClass {
				break
			}
			counts[i] += own[c]
			c = g.Classes[c].Super
		}
		all += int64(counts[i])
	}
	return counts, all
}

// planFields notes the references of the instances of a class, and their flag.
func (b *builder) planFields(id ClassID, p *linkPlan) {
	flags := b.options.Flags // that would be preferred
	for f := range b.fields(id) {
		switch {
		case f.Field.Type == hprof.TypeObject && b.rules.holds(id, f):
			p.refs = append(p.refs, f.BodyOffset)
			p.end = max(p.end, int(f.BodyOffset)+b.idSize)
		case f.Field.Type == hprof.TypeBoolean, f.Field.Type == hprof.TypeInt:
			if i := slices.Index(flags, f.Field.Name); i >= 0 {
				p.flag, flags = flagPlan{f.BodyOffset, f.Field.Type.Width(b.idSize)}, flags[:i]
			}
		}
	}
}

// found says which columns of a watch some class has.
func (b *builder) found(watch int) []bool {
	found := make([]bool, len(b.options.Watches[watch].Fields))
	for i := range b.plans {
		for _, p := range b.plans[i].tables {
			if p.table != watch {
				continue
			}
			for j, offset := range p.offsets {
				found[j] = found[j] || offset >= 0
			}
		}
	}
	return found
}
