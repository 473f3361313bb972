package heap

import (
	"context"
	"encoding/binary"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
)

// LinkKind says what part of an object refers to another one.
type LinkKind string

// The kinds of links.
const (
	LinkField   LinkKind = "field"
	LinkElement LinkKind = "element"
	LinkStatic  LinkKind = "static"
	// LinkClass is an object's reference to its own class, the others are a class's.
	LinkClass      LinkKind = "class"
	LinkSuperclass LinkKind = "superclass"
	LinkLoader     LinkKind = "class loader"
	LinkSigners    LinkKind = "signers"
	LinkDomain     LinkKind = "protection domain"
	// LinkLocal is a thread's reference to what its stack holds, in graphs where that
	// is no GC root.
	LinkLocal LinkKind = "local"
)

// Link is a reference from one object to another.
type Link struct {
	Kind LinkKind
	// Field is the name of a field, and Declaring the class that declares it.
	Field     string
	Declaring string
	// Index is the place of an element.
	Index int64
	// Strength is Strong for all but the referents of reference objects.
	Strength Strength
}

// refField is a reference field of the instances of a class.
type refField struct {
	offset int
	link   Link
}

// refFields returns the reference fields of the instances of c.
func (g *Graph) refFields(c ClassID, referent Strength) []refField {
	var all []refField
	for f := range g.fields(c) {
		if f.Field.Type != hprof.TypeObject {
			continue
		}
		l := Link{Kind: LinkField, Field: f.Field.Name, Declaring: f.Class.Name}
		if f.isReferent() {
			l.Strength = referent
		}
		all = append(all, refField{int(f.BodyOffset), l})
	}
	return all
}

// ReferentLink returns how a reference object of class c refers to its referent.
func (g *Graph) ReferentLink(c ClassID) Link {
	return Link{Kind: LinkField, Field: referentField, Declaring: referenceClass, Strength: g.strength(c)}
}

// classLinks returns how a class object refers to an address, 0 for the boot loader that
// Eclipse MAT sees there.
func (g *Graph) classLinks(c ClassID, address uint64) []Link {
	if address == 0 {
		return []Link{{Kind: LinkLoader}}
	}
	var links []Link
	k := &g.Classes[c]
	for _, s := range k.Statics {
		if s.Type == hprof.TypeObject && s.Value == address {
			links = append(links, Link{Kind: LinkStatic, Field: s.Name, Declaring: k.Name})
		}
	}
	for _, other := range []struct {
		kind    LinkKind
		address uint64
	}{{LinkSuperclass, g.superAddress(k)}, {LinkLoader, k.Loader}, {LinkSigners, k.others[0]}, {LinkDomain, k.others[1]}} {
		if other.address == address {
			links = append(links, Link{Kind: other.kind})
		}
	}
	return links
}

// referenceAt decodes the reference at an offset, 0 where b is too short for it.
func (g *Graph) referenceAt(b []byte, offset int) uint64 {
	switch size := g.file.Header.IDSize; {
	case offset+size > len(b):
		return 0
	case size == 4:
		return uint64(binary.BigEndian.Uint32(b[offset:]))
	}
	return binary.BigEndian.Uint64(b[offset:])
}

// elements calls fn for every element of the current object array that is address.
func (g *Graph) elements(o *hprof.Objects, address uint64, fn func(index int64)) {
	size, index := g.file.Header.IDSize, int64(0)
	for chunk := o.Chunk(); len(chunk) > 0; chunk = o.Chunk() {
		for at := 0; at+size <= len(chunk); at += size {
			if g.referenceAt(chunk, at) == address {
				fn(index)
			}
			index++
		}
	}
}

// NonNull counts the elements of an object array that are not null, 0 for other objects.
// Errors: that of ctx.
func (g *Graph) NonNull(ctx context.Context, array ObjID) (n int64, err error) {
	err = g.visit(ctx, []ObjID{array}, func(o *hprof.Objects, c Content) {
		if c.Elem == hprof.TypeObject {
			n = c.Count
			g.elements(o, 0, func(int64) { n-- })
		}
	})
	return n, err
}

// Links says how each object of a track, all different, refers to the next one: the
// first of its references that does, strong ones before others. Link i leads from
// track[i] to track[i+1]. Errors: that of ctx.
func (g *Graph) Links(ctx context.Context, track []ObjID) ([]Link, error) {
	if len(track) < 2 {
		return nil, nil
	}
	links := make([]Link, len(track)-1)
	strengths := g.strengths()
	var owners []ObjID
	places := map[ObjID]int{}
	for i, o := range track[:len(track)-1] {
		if c := g.ClassAt(g.Address(o)); c != NoClass {
			if l := g.classLinks(c, g.Address(track[i+1])); len(l) > 0 {
				links[i] = l[0]
			}
			continue
		}
		owners = append(owners, o)
		places[o] = i
	}
	err := g.visit(ctx, owners, func(o *hprof.Objects, c Content) {
		i := places[c.Object]
		target := g.Address(track[i+1])
		switch {
		case c.Elem == hprof.TypeObject:
			links[i] = g.elementLink(o, target)
		case c.Elem == 0 && c.Class != NoClass:
			links[i] = g.fieldLink(g.refFields(c.Class, strengths[c.Class]), o.Body(maxInstance), target)
		}
	})
	for i := range links {
		if links[i].Kind == "" {
			links[i] = g.impliedLink(g.ClassOf(track[i]), g.Address(track[i+1]))
		}
	}
	return links, err
}

// elementLink returns the first element of the current array that is target.
func (g *Graph) elementLink(o *hprof.Objects, target uint64) (l Link) {
	g.elements(o, target, func(index int64) {
		if l.Kind == "" {
			l = Link{Kind: LinkElement, Index: index}
		}
	})
	return l
}

// fieldLink returns the strongest field that refers to target.
func (g *Graph) fieldLink(fields []refField, body []byte, target uint64) (l Link) {
	for _, f := range fields {
		if g.referenceAt(body, f.offset) == target && (l.Kind == "" || f.link.Strength < l.Strength) {
			l = f.link
		}
	}
	return l
}

// impliedLink explains an edge that no field makes.
func (g *Graph) impliedLink(c ClassID, target uint64) Link {
	if c != NoClass && g.Classes[c].Address == target {
		return Link{Kind: LinkClass}
	}
	return Link{Kind: LinkLocal}
}
