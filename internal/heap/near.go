package heap

import (
	"context"
	"sort"
)

// Near is what lies around an address at which no object begins.
type Near struct {
	// Before and After are the objects next to it, 0 for none.
	Before, After ObjID
	// Inside says that the address lies within Before.
	Inside bool
}

// Near looks around an address. Errors: that of ctx.
func (g *Graph) Near(ctx context.Context, address uint64) (Near, error) {
	count := int(g.index.count)
	after := sort.Search(count, func(i int) bool { return g.index.address(ObjID(i+1)) > address }) + 1
	n := Near{Before: ObjID(after - 1)}
	if after <= count {
		n.After = ObjID(after)
	}
	if n.Before == 0 {
		return n, nil
	}
	ends := func(size int64) { n.Inside = address-g.Address(n.Before) < uint64(size) }
	if c := g.ClassAt(g.Address(n.Before)); c != NoClass {
		ends(g.Classes[c].MirrorBytes)
		return n, nil
	}
	err := g.Read(ctx, []ObjID{n.Before}, func(c Content) { ends(g.SizeOf(c)) })
	return n, err
}
