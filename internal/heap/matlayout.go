package heap

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/apm-sidecar/apm-sidecar/internal/cores"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
)

// matProbe is what Eclipse Memory Analyzer's layout depends on, of one extent.
type matProbe struct {
	first uint64 // address of the first object
	align uint64 // greatest common divisor of the distances to it, 0 for none
	// firstArray is the address of the first object array, lastArray that of the
	// last one, which would end at lastEnd with references of 8 bytes.
	firstArray, lastArray, lastEnd uint64
	compressed                     bool // an array begins inside the one before it
}

// The bounds of the alignment.
const (
	minAlign = 8
	maxAlign = 256
)

// layout infers references of 4 bytes from an object array that begins where the one
// before it in the file would not have ended with 8; else a reference is as wide
// as an id. The alignment is the greatest common divisor of all distances between
// objects, from 8 to 256. One pass over the dump at most; it ends when both are known.
func (b *matRules) layout(ctx context.Context) (Layout, error) {
	probes := make([]matProbe, len(b.extents))
	var compressed, aligned atomic.Bool
	compressed.Store(b.idSize == 4) // as narrow as it gets
	err := each(ctx, len(b.extents), cores.Workers(), func() func(context.Context, int) error {
		o := hprof.NewObjects(b.file, b.idSize)
		return func(ctx context.Context, i int) error {
			if compressed.Load() && aligned.Load() {
				return nil
			}
			o.Reset(b.extents[i].Start, b.extents[i].End)
			p := &probes[i]
			for n := 1; o.Next(); n++ {
				p.see(o)
				if n%64 != 0 {
					continue
				}
				if p.compressed {
					compressed.Store(true)
				}
				if p.alignKnown() {
					aligned.Store(true)
				}
				if compressed.Load() && aligned.Load() {
					return nil
				}
				if n%checkEvery == 0 && ctx.Err() != nil {
					return ctx.Err()
				}
			}
			return nil
		}
	})
	if err != nil {
		return Layout{}, err
	}
	var all matProbe
	for i := range probes {
		all.join(&probes[i])
	}
	l := Layout{RefBytes: b.idSize, HeaderBytes: 2 * b.idSize, ArrayBytes: int(alignUp(int64(2*b.idSize+4), int64(b.idSize)))}
	if b.idSize == 8 && (compressed.Load() || all.compressed) {
		l = Layout{RefBytes: 4, HeaderBytes: 12, ArrayBytes: 16}
	}
	l.Align = int(max(min(all.align, maxAlign), minAlign))
	l.plain = true
	l.Name = fmt.Sprintf("Eclipse MAT's: references of %d bytes", l.RefBytes)
	return l, nil
}

// see takes the current sub-record into account.
func (p *matProbe) see(o *hprof.Objects) {
	switch o.Tag {
	case hprof.SubInstance, hprof.SubClassDump, hprof.SubPrimArray, hprof.SubPrimArrayNoData, hprof.SubObjectArray:
	default:
		return
	}
	if o.ID == 0 {
		return
	}
	p.distance(o.ID)
	if o.Tag == hprof.SubObjectArray {
		p.array(o.ID)
		p.lastArray, p.lastEnd = o.ID, o.ID+16+8*uint64(o.Count)
	}
}

// distance takes the distance of an object to the first one into account.
func (p *matProbe) distance(address uint64) {
	if p.first == 0 {
		p.first = address
	}
	if !p.alignKnown() {
		p.align = gcd(p.align, max(address, p.first)-min(address, p.first))
	}
}

// alignKnown says whether no further object can change the alignment.
func (p *matProbe) alignKnown() bool { return p.align > 0 && p.align <= minAlign }

// array looks at where an array begins.
func (p *matProbe) array(address uint64) {
	if p.firstArray == 0 {
		p.firstArray = address
	}
	if address > p.lastArray && address < p.lastEnd {
		p.compressed = true
	}
}

// join takes the extent that comes next in the file into account.
func (p *matProbe) join(next *matProbe) {
	p.compressed = p.compressed || next.compressed
	if next.first != 0 {
		p.distance(next.first)
		p.align = gcd(p.align, next.align)
	}
	if next.firstArray != 0 {
		p.array(next.firstArray)
		p.lastArray, p.lastEnd = next.lastArray, next.lastEnd
	}
}
