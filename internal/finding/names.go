package finding

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
)

const (
	// nearNames is how many of the program's objects, from a suspect up, are asked for any name, and farNames how many for that
	// of a table, a queue and such: what lies farther off is a server, a service, an application.
	nearNames, farNames = 3, 5
	// namedDepth is how deep below a suspect names are looked for, and namedSample how many objects of each layer are asked.
	namedDepth, namedSample = 6, 64
	// namedChildren is how many objects right below each of these are looked at, of those that only it refers to and of others.
	namedChildren = 256
	// fewInstances is how many objects a class has at most whose objects are looked through for who refers to a suspect:
	// there are few tables and queues, and many rows and messages.
	// maxOutsiders bounds them all.
	fewInstances, maxOutsiders = 10_000, 4 << 20
	// maxAlsoHeld bounds the holders that are told beside the one on the path.
	maxAlsoHeld = 2
)

// wordNames says in words whom a suspect belongs to, what most of it is called, and who of those outside has it, too. Errors: that
// of ctx.
func (h *Heap) wordNames(ctx context.Context, s *suspect, paths []Path, outside []heap.ObjID) (string, error) {
	if s.group != nil || s.tasks != nil || len(paths) == 0 {
		return "", nil
	}
	above, err := h.calledAbove(ctx, &paths[0])
	if err != nil {
		return "", err
	}
	words, err := h.alsoHeld(ctx, s, outside, holderOn(&paths[0]))
	if err != nil {
		return "", err
	}
	if above.name == "" {
		if above, err = h.calledOutside(ctx, s, outside); err != nil {
			return "", err
		}
	}
	switch {
	case above.what == its:
		words += fmt.Sprintf(" Its name is %q.", clip(above.name, maxName))
	case above.what == "key":
		words += fmt.Sprintf(" It is under the %s.", above)
	case above.name != "":
		words += fmt.Sprintf(" It belongs to %s.", above)
	}
	below, err := h.calledBelow(ctx, s)
	if err != nil || below.name == "" || below.name == above.name {
		return words, err
	}
	if below.what == "key" {
		return words + fmt.Sprintf(" Most of its keys are like %q.", clip(below.name, maxName)), nil
	}
	return words + fmt.Sprintf(" Most of it is %s.", below), nil
}

// its is what a suspect itself is.
const its = "it"

// calledAbove returns the nearest name on the way to what a path ends at. Errors: that of ctx.
func (h *Heap) calledAbove(ctx context.Context, p *Path) (called, error) {
	own := 0
	for i, step := range slices.Backward(p.Steps) {
		o := h.objectOf(step)
		if o == 0 {
			continue
		}
		ways := namings()
		if platform(step.Class) {
			if ways = keys(); own >= nearNames || step.Field != "value" && step.Field != "val" {
				continue
			}
		} else if i < len(p.Steps)-1 && !container(step.Class) {
			if own++; own > nearNames {
				ways = telling()
			}
		}
		names, err := h.calledOf(ctx, []heap.ObjID{o}, ways)
		if c, ok := names[o]; ok && i == len(p.Steps)-1 {
			return called{its, c.name}, nil
		} else if ok || err != nil {
			return c, err
		}
		if own == farNames {
			break
		}
	}
	return called{}, nil
}

// keys is the way to the key of an entry of a map.
func keys() []naming { return []naming{{"key", []string{"key"}}} }

// outsiders returns the program's reachable objects that may know what holds data, as a part of theirs or otherwise: those of
// classes with few instances; none where that are very many nevertheless.
func (h *Heap) outsiders() []heap.ObjID {
	all, outside := int64(0), map[*heap.Class]bool{}
	for i := range h.Classes {
		if c := &h.Classes[i]; c.Instances > 0 && c.Instances <= fewInstances && !platform(c.Name) && !container(c.Name) {
			outside[c] = true
			all += c.Instances
		}
	}
	if all > maxOutsiders {
		return nil
	}
	return h.objectsOf(func(c *heap.Class) bool { return outside[c] }, true)
}

// referring returns those of the objects that refer to one of the targets, with that one, and that top does not dominate.
func (h *Heap) referring(objects []heap.ObjID, targets map[heap.ObjID]heap.ObjID, top heap.ObjID) map[heap.ObjID]heap.ObjID {
	found := map[heap.ObjID]heap.ObjID{}
	for _, o := range objects {
		for r := range h.References(o) {
			if _, ok := targets[r]; ok && o != top && targets[o] == 0 && !h.Tree.Dominates(uint32(top), uint32(o)) {
				found[o] = r
			}
		}
	}
	return found
}

// alsoHeld names the fields that refer to a suspect beside the one that was told, which may be the less telling one. Errors:
// that of ctx.
func (h *Heap) alsoHeld(ctx context.Context, s *suspect, outside []heap.ObjID, told holder) (string, error) {
	target := s.targets()[0]
	found := h.referring(outside, map[heap.ObjID]heap.ObjID{target: target}, target)
	var fields []string
	err := h.Read(ctx, slices.Collect(maps.Keys(found)), func(c heap.Content) {
		class, field := stableClass(h.Class(c.Object).Name), h.FieldTo(c, target)
		if f := fieldOf(class, field); field != "" && field != "[]" && f != fieldOf(told.class, told.field) {
			fields = append(fields, f)
		}
	})
	slices.Sort(fields)
	fields = slices.Compact(fields)
	switch n := len(fields); {
	case err != nil || n == 0:
		return "", err
	case n == 1:
		return fmt.Sprintf(" Field %s refers to it, too.", fields[0]), nil
	case n > maxAlsoHeld:
		return fmt.Sprintf(" Fields %s and %d more refer to it, too.", strings.Join(fields[:maxAlsoHeld], ", "), n-maxAlsoHeld), nil
	}
	return fmt.Sprintf(" Fields %s refer to it, too.", strings.Join(fields, " and ")), nil
}

// calledOutside returns what those call the suspect, or what it is a part of, who refer to it from elsewhere by way of one object
// at most, where they agree: an index of a table, say. Errors: that of ctx.
func (h *Heap) calledOutside(ctx context.Context, s *suspect, outside []heap.ObjID) (called, error) {
	top := s.top()
	near := map[heap.ObjID]heap.ObjID{top: top}
	for range 2 {
		near = h.referring(outside, near, top)
		names, err := h.calledOf(ctx, slices.Sorted(maps.Keys(near)), telling())
		if err != nil {
			return called{}, err
		}
		var agreed called
		for _, c := range names {
			if agreed.name != "" && agreed != c {
				return called{}, nil
			}
			agreed = c
		}
		if agreed.name != "" {
			return agreed, nil
		}
	}
	return called{}, nil
}

// calledBelow returns what most of a suspect is called: the elements of a collection or their keys, or objects in one of the
// layers below it. Errors: that of ctx.
func (h *Heap) calledBelow(ctx context.Context, s *suspect) (called, error) {
	if c := cmp.Or(s.collection, h.biggestPart(s.object)); c != nil {
		return h.calledIn(ctx, c)
	}
	if s.below == nil {
		return called{}, nil // too much lies there
	}
	layer := []heap.ObjID{s.object}
	for range namedDepth {
		type child struct {
			object   heap.ObjID
			retained uint64
		}
		var children []child
		var all uint64
		for _, o := range layer {
			for c, retained := range h.Tree.SomeChildren(uint32(o), namedChildren, uint64(s.retained)/namedSample) {
				children = append(children, child{heap.ObjID(c), retained})
				all += retained
			}
		}
		slices.SortFunc(children, func(a, b child) int {
			return cmp.Or(cmp.Compare(b.retained, a.retained), cmp.Compare(a.object, b.object))
		})
		layer = layer[:0]
		for i, had := 0, uint64(0); i < len(children) && had*2 < all; i++ {
			layer = append(layer, children[i].object)
			had += children[i].retained
		}
		layer = spread(layer, namedSample)
		if names, err := h.calledOf(ctx, layer, namings()); err != nil || len(names)*2 > len(layer) {
			most, _ := mostCalled(names, len(layer))
			return most, err
		}
	}
	return called{}, nil
}

// calledIn returns what most elements of a collection are called, or what most of its keys are. Errors: that of ctx.
func (h *Heap) calledIn(ctx context.Context, c *collection) (called, error) {
	var values, nodes []heap.ObjID
	for _, o := range spread(h.heads(c), namedSample) {
		if !h.isNode(c, o) {
			values = append(values, h.payload(o))
			continue
		}
		nodes = append(nodes, o)
		for name, r := range h.content(c, o) {
			if name != "key" {
				values = append(values, h.payload(r))
			}
		}
	}
	names, err := h.calledOf(ctx, values, namings())
	if err != nil {
		return called{}, err
	}
	if most, ok := mostCalled(names, len(values)); ok {
		return most, nil
	}
	names, err = h.calledOf(ctx, nodes, keys())
	most, _ := mostCalled(names, len(nodes))
	return most, err
}

// spread returns n of the objects, from all over them, or all where they are no more.
func spread(objects []heap.ObjID, n int) []heap.ObjID {
	if len(objects) <= n {
		return objects
	}
	some := make([]heap.ObjID, n)
	for i := range some {
		some[i] = objects[i*len(objects)/n]
	}
	return some
}
