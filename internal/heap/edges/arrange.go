package edges

import (
	"context"
	"encoding/binary"
	"math/bits"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// stretchBlocks is how many blocks a core arranges at once.
const stretchBlocks = 1 << 10

// Arrange writes all runs once more, in the order of their nodes, if those of most blocks are
// scattered: who goes through the nodes in order would wait for memory three times with each.
// It is done with so many workers, when all Writers are closed. Errors: that of ctx, after which the
// graph is of no use; no memory.
func (b *Builder) Arrange(ctx context.Context, m *offheap.Memory, workers int) error {
	g := b.graph
	blocks := uint64(len(g.directory.Items))
	if 2*g.rows.used.Load() < blocks {
		return nil
	}
	// A node that was never written gets an end of its own. A rest of a chunk is less than the
	// block that did not fit into it.
	runs := b.next.Load() + blocks*blockNodes
	blob, err := offheap.ReservePlain[uint8](m, int(2*runs+uint64(workers+1)*chunkBytes))
	if err != nil {
		return err
	}
	var next, used atomic.Uint64
	used.Store(1) // blob[0] is an end
	each, ctx := errgroup.WithContext(ctx)
	for range workers {
		each.Go(func() error {
			a := arranger{g: g, used: &used, to: blob.Items}
			for ctx.Err() == nil {
				first := next.Add(stretchBlocks) - stretchBlocks
				if first >= blocks {
					return nil
				}
				a.stretch(first, min(first+stretchBlocks, blocks))
			}
			return ctx.Err()
		})
	}
	if err := each.Wait(); err != nil {
		blob.Free()
		return err
	}
	g.blob.Free()
	g.rows.items.Free()
	g.blob = blob
	return nil
}

// arranger writes the runs of whole blocks. One goroutine each.
type arranger struct {
	g       *Graph
	used    *atomic.Uint64 // bytes of to that arrangers have taken
	to      []uint8
	at, end uint64 // what is left of the chunk
}

// stretch arranges some blocks.
func (a *arranger) stretch(first, end uint64) {
	const ahead = 2 // blocks: of one, its runs are fetched from memory, of another as far, its row
	for block := first; block < end; block++ {
		if block+2*ahead < end {
			if d := a.g.directory.Items[block+2*ahead]; d&scattered != 0 {
				a.g.rows.items.Prefetch(d &^ scattered * blockNodes)
				a.g.rows.items.Prefetch(d&^scattered*blockNodes + blockNodes/2)
			}
		}
		if block+ahead < end {
			if d := a.g.directory.Items[block+ahead]; d&scattered != 0 {
				for _, at := range a.g.rows.of(d) {
					a.g.blob.Prefetch(at)
				}
			}
		}
		a.block(block)
	}
}

// block writes the runs of one block one after the other.
func (a *arranger) block(block uint64) {
	d := &a.g.directory.Items[block]
	if *d == 0 {
		return
	}
	from := a.g.blob.Items
	var places, lengths [blockNodes]uint64
	all := uint64(0)
	next := *d & (1<<placeBits - 1) // where the runs lie one after the other already
	for i := range places {
		places[i] = next
		if *d&scattered != 0 {
			places[i] = a.g.rows.of(*d)[i]
		}
		lengths[i] = lengthOf(from, places[i])
		next = places[i] + lengths[i]
		all += lengths[i]
	}
	if need := all + 8; a.end-a.at < need { // eight bytes are read at a time
		size := max(need, chunkBytes)
		a.end = a.used.Add(size)
		a.at = a.end - size
	}
	for i, at := range places {
		places[i] = a.at
		a.at += uint64(copy(a.to[a.at:], from[at:at+lengths[i]]))
	}
	*d = entry(&places)
}

// lengthOf returns how many bytes a run has, its end included.
func lengthOf(blob []uint8, at uint64) uint64 {
	const low7 = 0x7f7f7f7f7f7f7f7f
	for from := at; ; at += 8 {
		x := binary.LittleEndian.Uint64(blob[at : at+8 : at+8])
		if zeros := ^((x&low7 + low7) | x | low7); zeros != 0 {
			return at + uint64(bits.TrailingZeros64(zeros))/8 + 1 - from
		}
	}
}
