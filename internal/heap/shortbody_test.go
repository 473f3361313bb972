package heap_test

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// TestABodyShorterThanItsClassSays has the fields that are there, and no others.
func TestABodyShorterThanItsClassSays(t *testing.T) {
	for _, idSize := range []int{4, 8} {
		d := hproftest.New(idSize)
		object := d.Class("java.lang.Object", nil)
		d.Class("java.lang.Class", object)
		node := d.Class("com.acme.Node", object, hproftest.Ref("a"), hproftest.Ref("b"), hproftest.Bool("flag"))
		a, b := d.New(object), d.New(object)
		last := d.New(node).Set("a", a).Set("b", b).Set("flag", true)
		whole := d.Encode(hproftest.Shape{})
		body := 2*idSize + 1
		for cut := range body + 1 {
			data := append([]byte{}, whole[:len(whole)-cut]...)
			shorten := func(at int) {
				binary.BigEndian.PutUint32(data[at:], binary.BigEndian.Uint32(data[at:])-uint32(cut))
			}
			shorten(len(whole) - body - 4) // the last object's
			f, err := hprof.Open(t.Context(), hproftest.WriteBytes(t, whole), nil)
			require.NoError(t, err)
			o, err := f.Outline(t.Context(), nil)
			require.NoError(t, err)
			shorten(int(o.Extents[0].Start) - 4)
			require.NoError(t, f.Close())

			f, err = hprof.Open(t.Context(), hproftest.WriteBytes(t, data), nil)
			require.NoError(t, err)
			g, err := heap.Build(t.Context(), f, heap.Options{Flags: []string{"flag"}})
			require.NoError(t, err)
			assert.Empty(t, g.Damage)
			var want []heap.ObjID
			if cut <= 1+idSize {
				want = append(want, g.Object(a.ID))
			}
			if cut <= 1 {
				want = append(want, g.Object(b.ID))
			}
			assert.Equal(t, want, refs(g, g.Object(last.ID)), "ids of %d bytes, %d cut off", idSize, cut)
			set, ok := g.Flag(g.Object(last.ID))
			assert.True(t, ok)
			assert.Equal(t, cut == 0, set, "ids of %d bytes, %d cut off", idSize, cut)
			g.Close()
			require.NoError(t, f.Close())
		}
	}
}
