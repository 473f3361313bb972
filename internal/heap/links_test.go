package heap_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// shapes are ways to write one dump.
func shapes() map[string]hproftest.Shape {
	return map[string]hproftest.Shape{
		"plain": {}, "segments": {SegmentBytes: 200}, "shuffled": {SegmentBytes: 500, Shuffle: 7}, "gzip": {Gzip: true},
	}
}

// TestStrongestTrack: of all ways the one that collections respect most, and of these a
// shortest one.
func TestStrongestTrack(t *testing.T) {
	for name, shape := range shapes() {
		for _, idSize := range []int{4, 8} {
			j := hproftest.NewJDK(17, idSize)
			node := j.Class("com.acme.Node", j.Object, hproftest.Ref("a"), hproftest.Ref("b"))
			add := func() *hproftest.Object { return j.New(node) }
			// strong is held by a long strong way and by shorter weaker ones.
			strong, soft, weak, final, phantom, garbage := add(), add(), add(), add(), add(), add()
			softAgain, weakAgain := add(), add()
			way := add().Set("a", add().Set("b", strong))
			phantomClass := j.Class("com.acme.Ghost", j.ClassNamed("java.lang.ref.PhantomReference"))
			root := j.Class("com.acme.Main", j.Object).Static("way", way).Static("weakToStrong", j.Weak(strong)).
				Static("soft", j.Soft(soft)).Static("softToStrong", j.Soft(strong)).
				Static("weak", j.Weak(weak)).Static("ghost", j.New(phantomClass).Set("referent", phantom))
			// What is held weakly behind something held softly is held weakly.
			j.Finalizer(final, hproftest.Registered)
			soft.Set("a", j.Weak(weak)).Set("b", j.Soft(softAgain))
			weak.Set("b", j.New(phantomClass).Set("referent", final)).Set("a", j.Weak(weakAgain))
			add().Set("a", garbage)
			stack := add()
			local := add().Set("a", stack)
			j.NewThread(j.Thread, "main", hproftest.Frame{Class: j.Object, Method: "run", Locals: []*hproftest.Object{local, strong}})
			d := j.Finish()
			for edgesName, edges := range map[string]heap.Edges{"strong": heap.EdgesStrong, "mat": heap.EdgesMAT} {
				g := build(t, d, shape, heap.Options{Edges: edges, Watches: []heap.Watch{heap.ReferentWatch()}})
				track := func(o *hproftest.Object) heap.Track {
					found, err := g.StrongestTrack(t.Context(), g.Object(o.ID), g.Tables[0])
					require.NoError(t, err)
					return found
				}
				for what, c := range map[string]struct {
					object *hproftest.Object
					want   heap.Strength
				}{
					"strong": {strong, heap.Strong}, "soft": {soft, heap.Soft}, "weak": {weak, heap.Weak}, "final": {final, heap.Final},
					"soft behind soft": {softAgain, heap.Soft}, "weak behind weak": {weakAgain, heap.Weak},
					"phantom": {phantom, heap.Phantom}, "garbage": {garbage, heap.Unreachable}, "local": {stack, heap.Strong},
				} {
					assert.Equal(t, c.want, track(c.object).Strength, "%s, %d-byte ids, %s: %s", name, idSize, edgesName, what)
				}
				if edges == heap.EdgesMAT {
					continue
				}
				objects := track(strong).Objects
				require.Len(t, objects, 4, "by lasting roots, not by the local")
				assert.Equal(t, g.Object(root.ID), objects[0])
				links, err := g.Links(t.Context(), objects)
				require.NoError(t, err)
				assert.Equal(t, []heap.Link{
					{Kind: heap.LinkStatic, Field: "way", Declaring: "com.acme.Main"},
					{Kind: heap.LinkField, Field: "a", Declaring: "com.acme.Node"},
					{Kind: heap.LinkField, Field: "b", Declaring: "com.acme.Node"},
				}, links)
				assert.Len(t, track(stack).Objects, 2)
				assert.Empty(t, track(garbage).Objects)
			}
		}
	}
}

// TestHeldByAReferenceObject holds what a reference object holds with a field of its own as well as weakly.
func TestHeldByAReferenceObject(t *testing.T) {
	for _, super := range []string{"SoftReference", "WeakReference", "PhantomReference", "FinalReference"} {
		for name, edges := range map[string]heap.Edges{"strong": heap.EdgesStrong, "mat": heap.EdgesMAT} {
			j := hproftest.NewJDK(17, 8)
			entry := j.Class("com.acme.Entry", j.ClassNamed("java.lang.ref."+super), hproftest.Ref("value"), hproftest.Ref("other"))
			twice, once := j.New(j.Object), j.New(j.Object)
			j.Class("com.acme.Main", j.Object).
				Static("twice", j.New(entry).Set("referent", twice).Set("value", twice)).
				Static("once", j.New(entry).Set("referent", once).Set("value", j.New(j.Object)))
			g := build(t, j.Finish(), hproftest.Shape{}, heap.Options{Edges: edges, Watches: []heap.Watch{heap.ReferentWatch()}})
			strength := func(o *hproftest.Object) heap.Strength {
				track, err := g.StrongestTrack(t.Context(), g.Object(o.ID), g.Tables[0])
				require.NoError(t, err)
				return track.Strength
			}
			assert.Equal(t, heap.Strong, strength(twice), "%s, %s", super, name)
			assert.NotEqual(t, heap.Strong, strength(once), "%s, %s", super, name)
		}
	}
}

// TestHeldByAClass: a class object holds its loader, its signers and its protection domain.
func TestHeldByAClass(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	loader, signers, domain := j.New(j.Object), j.New(j.Object), j.New(j.Object)
	c := j.Class("com.acme.Plugin", j.Object).LoadedBy(loader).Signed(signers, domain)
	j.Class("com.acme.Main", j.Object).Static("plugin", j.New(c))
	g := build(t, j.Finish(), hproftest.Shape{}, heap.Options{})
	for kind, o := range map[heap.LinkKind]*hproftest.Object{heap.LinkLoader: loader, heap.LinkSigners: signers, heap.LinkDomain: domain} {
		class, held := g.Object(c.ID), g.Object(o.ID)
		assert.Contains(t, refs(g, class), held, kind)
		links, err := g.Links(t.Context(), []heap.ObjID{class, held})
		require.NoError(t, err)
		assert.Equal(t, []heap.Link{{Kind: kind}}, links)
	}
}

// TestManyReferrers has more references than are kept at once, in several units and in no order.
func TestManyReferrers(t *testing.T) {
	const n, limit = 140_000, 100
	j := hproftest.NewJDK(17, 8)
	target := j.New(j.Object)
	node := j.Class("com.acme.Node", j.Object, hproftest.Ref("a"), hproftest.Long("b"), hproftest.Long("c"), hproftest.Long("d"), hproftest.Long("e"))
	var nodes []*hproftest.Object
	for range n {
		nodes = append(nodes, j.New(node).Set("a", target))
	}
	g := build(t, j.Finish(), hproftest.Shape{Shuffle: 3}, heap.Options{Depth: heap.Numbered})
	r, err := g.Referrers(t.Context(), g.Object(target.ID), limit)
	require.NoError(t, err)
	assert.EqualValues(t, n, r.Objects)
	assert.EqualValues(t, n, r.References)
	class, field := g.ClassesNamed("com.acme.Node")[0], heap.Link{Kind: heap.LinkField, Field: "a", Declaring: "com.acme.Node"}
	assert.Equal(t, []heap.LinkCount{{class, field, n}}, r.Links)
	require.Len(t, r.First, limit)
	for i, o := range nodes[:limit] {
		assert.Equal(t, heap.Referrer{Object: g.Object(o.ID), Class: class, Link: field}, r.First[i], "the lowest addresses")
	}
}

// TestReferrers finds references of every kind, whether the graph has references or not.
func TestReferrers(t *testing.T) {
	for name, shape := range shapes() {
		for _, depth := range []heap.Depth{heap.Linked, heap.Numbered} {
			j := hproftest.NewJDK(17, 8)
			target := j.New(j.Object)
			node := j.Class("com.acme.Node", j.Object, hproftest.Ref("a"), hproftest.Ref("b"))
			twice := j.New(node).Set("a", target).Set("b", target)
			once := j.New(node).Set("b", target)
			array := j.Array(j.Objects, nil, target, nil, target)
			weak := j.Weak(target)
			holder := j.Class("com.acme.Main", j.Object).Static("target", target)
			g := build(t, j.Finish(), shape, heap.Options{Depth: depth})
			r, err := g.Referrers(t.Context(), g.Object(target.ID), 6)
			require.NoError(t, err)
			assert.Equal(t, int64(5), r.Objects, name)
			assert.Equal(t, int64(7), r.References, name)
			at := func(o *hproftest.Object) heap.ObjID { return g.Object(o.ID) }
			field := func(f string) heap.Link {
				return heap.Link{Kind: heap.LinkField, Field: f, Declaring: "com.acme.Node"}
			}
			referent := heap.Link{Kind: heap.LinkField, Field: "referent", Declaring: "java.lang.ref.Reference", Strength: heap.Weak}
			class := func(n string) heap.ClassID { return g.ClassesNamed(n)[0] }
			assert.Equal(t, []heap.Referrer{
				{at(twice), class("com.acme.Node"), field("a")},
				{at(twice), class("com.acme.Node"), field("b")},
				{at(once), class("com.acme.Node"), field("b")},
				{at(array), class("java.lang.Object[]"), heap.Link{Kind: heap.LinkElement, Index: 1}},
				{at(array), class("java.lang.Object[]"), heap.Link{Kind: heap.LinkElement, Index: 3}},
				{at(weak), class("java.lang.ref.WeakReference"), referent},
			}, r.First, "the first six by address; %#x comes behind", holder.ID)
			assert.Equal(t, []heap.LinkCount{
				{class("com.acme.Node"), field("b"), 2},
				{class("java.lang.Object[]"), heap.Link{Kind: heap.LinkElement}, 2},
				{class("com.acme.Node"), field("a"), 1},
				{class("java.lang.Class"), heap.Link{Kind: heap.LinkStatic, Field: "target", Declaring: "com.acme.Main"}, 1},
				{class("java.lang.ref.WeakReference"), referent, 1},
			}, r.Links)

			n, err := g.NonNull(t.Context(), at(array))
			require.NoError(t, err)
			assert.Equal(t, int64(2), n)
		}
	}
}

func TestNear(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	first := j.Bytes(make([]byte, 100))
	j.Bytes(nil).Forget()
	second := j.New(j.Object)
	g := build(t, j.Finish(), hproftest.Shape{}, heap.Options{Depth: heap.Numbered})
	for name, c := range map[string]struct {
		address uint64
		want    heap.Near
	}{
		"inside":    {first.ID + 8, heap.Near{Before: g.Object(first.ID), After: g.Object(second.ID), Inside: true}},
		"between":   {first.ID + 120, heap.Near{Before: g.Object(first.ID), After: g.Object(second.ID)}},
		"before":    {1, heap.Near{After: 1}},
		"behind":    {1 << 60, heap.Near{Before: heap.ObjID(g.Objects())}},
		"the class": {g.Address(1) + 4, heap.Near{Before: 1, After: 2, Inside: true}},
	} {
		t.Run(name, func(t *testing.T) {
			near, err := g.Near(t.Context(), c.address)
			require.NoError(t, err)
			assert.Equal(t, c.want, near)
		})
	}
}
