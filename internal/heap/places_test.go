package heap

import (
	"encoding/binary"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// TestPlaces reads the bodies of a few objects in dumps that list them in the order of their addresses
// and in none: all of them are met, and no more than a piece is read for each.
func TestPlaces(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	node := j.Class("com.acme.Node", j.Object, hproftest.Long("value"))
	for i := range 60_000 {
		j.Root(hprof.SubRootUnknown, j.New(node).Set("value", int64(i)))
	}
	dump := j.Finish()
	for name, shape := range map[string]hproftest.Shape{"in order": {SegmentBytes: 1 << 20}, "in no order": {Shuffle: 7}} {
		t.Run(name, func(t *testing.T) {
			f, err := hprof.Open(t.Context(), dump.WriteFile(t, shape), nil)
			require.NoError(t, err)
			defer func() { assert.NoError(t, f.Close()) }()
			memory := &offheap.Memory{}
			g, err := Build(t.Context(), f, Options{Memory: memory, Places: true})
			require.NoError(t, err)
			assert.Equal(t, shape.Shuffle != 0, g.places != nil)

			wanted, addresses := []ObjID{}, []uint64{}
			for o := ObjID(1000); len(wanted) < 20; o += 2500 {
				wanted, addresses = append(wanted, o), append(addresses, g.Address(o))
			}
			last := ObjID(g.Objects())
			wanted, addresses = append(wanted, last), append(addresses, g.Address(last))
			var toRead int64
			for _, u := range g.holding(wanted, addresses) {
				toRead += u.end - u.start
			}
			assert.LessOrEqual(t, toRead, int64(2*len(wanted)*pieceBytes), "of %d", f.Size)

			met := map[ObjID]uint64{}
			err = g.Read(t.Context(), wanted, func(c Content) {
				if g.Classes[c.Class].Name == "com.acme.Node" {
					met[c.Object] = binary.BigEndian.Uint64(c.Data)
				} else {
					met[c.Object] = 0
				}
			})
			require.NoError(t, err)
			assert.Len(t, met, len(wanted))
			values := map[uint64]bool{}
			for _, v := range met {
				values[v] = true
			}
			assert.Greater(t, len(values), 10, "each has a body of its own")
			g.Close()
			assert.Zero(t, memory.Reserved())
		})
	}
}

// TestPlacesOfAll holds the noted place of each object against where it lies, in a dump with arrays longer than
// a piece and than what a linker has looked up at once, with ids of either size.
func TestPlacesOfAll(t *testing.T) {
	for _, idSize := range []int{4, 8} {
		j := hproftest.NewJDK(17, idSize)
		app := j.New(j.Class("jdk.internal.loader.ClassLoaders$AppClassLoader", j.Object))
		node := j.Class("com.acme.Node", j.Object, hproftest.Ref("value")).LoadedBy(app)
		array := j.Class("[Lcom.acme.Node;", j.Object)
		var nodes []*hproftest.Object
		for i := range 40_000 {
			o := j.New(node)
			j.Root(hprof.SubRootUnknown, o)
			nodes = append(nodes, o)
			switch {
			case i%9_000 == 0:
				o.Set("value", j.Bytes(make([]byte, 3*pieceBytes)))
			case i%4_000 == 0:
				o.Set("value", j.Array(array, nodes[:min(i, 2*batchRefs)]...))
			}
		}
		f, err := hprof.Open(t.Context(), j.Finish().WriteFile(t, hproftest.Shape{Shuffle: 3}), nil)
		require.NoError(t, err)
		defer func() { assert.NoError(t, f.Close()) }()
		g, err := Build(t.Context(), f, Options{Places: true})
		require.NoError(t, err)
		defer g.Close()
		require.NotNil(t, g.places)
		require.Greater(t, len(g.pieces), 20)
		_, permanent := g.Roots.First(func(r Root) bool {
			return r.Kind == hprof.SubRootStickyClass && g.ClassAt(g.Address(r.Object)) == g.ClassesNamed("com.acme.Node")[0]
		})
		assert.True(t, permanent, "loaders are read before the places are known")
		var objects atomic.Int64
		err = g.walk(t.Context(), g.units, func() func(int, *hprof.Objects) {
			return func(_ int, o *hprof.Objects) {
				p := g.pieces[g.places.At(int(g.index.id(o.ID)))]
				if assert.LessOrEqual(t, p.start, o.Offset) && assert.Less(t, o.Offset, p.end) {
					objects.Add(1)
				}
			}
		})
		require.NoError(t, err)
		assert.Greater(t, objects.Load(), int64(40_000))
	}
}
