package dom

import "github.com/apm-sidecar/apm-sidecar/internal/heap/edges"

// piece is some successors of a node, the first n of a run. Where a node has very many, and all of
// them are peeled off below it, they are shared out in pieces.
type piece struct {
	run edges.Run
	n   int
}

// pieceNodes is how many successors a piece has.
const pieceNodes = 1 << 14

// pieces appends the pieces of a run, none of an empty one.
func (t *Tree) pieces(to []piece, run edges.Run) []piece {
	g := t.graph.Edges
	for !g.Done(run) {
		p := piece{run: run}
		for ; p.n < pieceNodes; p.n++ {
			if _, ok := g.Next(&run); !ok {
				break
			}
		}
		to = append(to, p)
	}
	return to
}
