package dom

import (
	"context"

	"github.com/apm-sidecar/apm-sidecar/internal/cores"
)

// Survey asks for sums over the whole tree. All of them come from one walk.
type Survey struct {
	// Class returns the class and the weight of a node. It is called from several
	// goroutines.
	Class func(v uint32) (class uint32, weight uint64)
	// Fetch, unless nil, has what Class needs to know of a node fetched from memory.
	Fetch func(v uint32)
	// Groupings are one to 64 ways to group the classes: the group of each class, by
	// class. Groups are numbered from 0. The first grouping is the finest: classes of one
	// group in it are of one group in all.
	Groupings [][]uint32
	// Merge asks for the merged tree. Core nodes that retain at least Big get an entry
	// of their own there.
	Merge bool
	Big   uint64
}

// Sums are the answer to a Survey.
type Sums struct {
	// Retained holds for each grouping, by group, what the reachable nodes of the group
	// retain: the sum over those that no other node of their group dominates. It is a
	// lower bound of what would go with all of them, as nodes that only several of them
	// hold together are not counted.
	Retained [][]uint64
	// Merged is the merged tree. Entries come after their parents, otherwise in no
	// particular order.
	Merged []Merged
}

// partsPerCore is how many parts of the tree there are for each core, as some have more
// peeled nodes than others. Each begins with a walk up to the root, which is long where the
// tree is deep, so they are few.
const partsPerCore = 4

// Survey walks over the tree on all cores. Memory: 8 bytes a group, 64 an entry of the
// merged tree, for each core. Errors: that of ctx.
func (t *Tree) Survey(ctx context.Context, s Survey) (*Sums, error) {
	surveyors := make([]*surveyor, partsPerCore*cores.Workers())
	parts := uint64(len(surveyors))
	cut := func(part int) uint32 { return uint32(1 + uint64(len(t.idom.Items)-1)*uint64(part)/parts) }
	err := atOnce(ctx, len(surveyors), func(ctx context.Context, i int) error {
		surveyors[i] = newSurveyor(t, s, t.Total()/parts)
		return surveyors[i].part(ctx, cut(i), cut(i+1))
	})
	if err != nil {
		return nil, err
	}
	var left []surveyPiece
	for _, w := range surveyors {
		left = append(left, w.left...)
	}
	err = atOnce(ctx, len(surveyors), func(ctx context.Context, i int) error {
		for k := i; k < len(left); k += len(surveyors) {
			if err := ctx.Err(); err != nil {
				return err
			}
			surveyors[i].piece(left[k])
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	sums := &Sums{Retained: surveyors[0].sums}
	for _, w := range surveyors[1:] {
		for k := range sums.Retained {
			for group, n := range w.sums[k] {
				sums.Retained[k][group] += n
			}
		}
		if err := surveyors[0].merging.join(ctx, w.merging); err != nil {
			return nil, err
		}
		w.merging = nil // may be as big as the one that it went into
	}
	if s.Merge {
		sums.Merged = surveyors[0].merging.finish()
	}
	return sums, nil
}
