package report

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/google/pprof/profile"
)

// The values of a sample, by index: what the dominator tree keeps, and the referents of
// Finalizers that are held.
const (
	profileBytes = iota
	profileObjects
	profileHeldBytes
	profileHeldObjects
	profileValues
)

// Profile writes the report as a gzipped profile for "go tool pprof". Its functions are
// classes. Bytes and objects lie along the paths of the dominator tree: "flat" is an
// entry's own size, "cum" what it retains. held_bytes and held_objects lie along the
// paths from GC roots to the referents of Finalizers.
func Profile(w io.Writer, r *Report) error {
	r = rewritten(r, Printable)
	b := profileBuilder{
		functions: map[string]*profile.Location{},
		profile: &profile.Profile{
			SampleType: []*profile.ValueType{
				profileBytes:       {Type: "bytes", Unit: "bytes"},
				profileObjects:     {Type: "objects", Unit: "count"},
				profileHeldBytes:   {Type: "held_bytes", Unit: "bytes"},
				profileHeldObjects: {Type: "held_objects", Unit: "count"},
			},
			DefaultSampleType: "bytes",
			Mapping:           []*profile.Mapping{{ID: 1, File: r.Dump.Path, HasFunctions: true}},
			Comments:          []string{r.Tool.Name + " " + r.Tool.Version + ": " + verdictInWords(r)},
		},
	}
	if created, err := time.Parse(time.RFC3339, r.Dump.Created); err == nil {
		b.profile.TimeNanos = created.UnixNano()
	}
	b.dominators(r)
	b.holders(r)
	if err := b.profile.CheckValid(); err != nil {
		return fmt.Errorf("build the profile: %w", err)
	}
	return b.profile.Write(w)
}

// profileBuilder collects samples.
type profileBuilder struct {
	profile   *profile.Profile
	functions map[string]*profile.Location
}

// location is the function of a name.
func (b *profileBuilder) location(name string) *profile.Location {
	if l := b.functions[name]; l != nil {
		return l
	}
	id := uint64(len(b.functions) + 1)
	f := &profile.Function{ID: id, Name: name, SystemName: name}
	l := &profile.Location{ID: id, Mapping: b.profile.Mapping[0], Line: []profile.Line{{Function: f}}}
	b.functions[name] = l
	b.profile.Function = append(b.profile.Function, f)
	b.profile.Location = append(b.profile.Location, l)
	return l
}

// sample adds a value along a path that begins at the root.
func (b *profileBuilder) sample(path []*profile.Location, bytes, objects int, byteValue, objectValue int64) {
	if len(path) == 0 || byteValue == 0 && objectValue == 0 {
		return
	}
	s := &profile.Sample{Location: slices.Clone(path), Value: make([]int64, profileValues)}
	slices.Reverse(s.Location)
	s.Value[bytes], s.Value[objects] = byteValue, objectValue
	b.profile.Sample = append(b.profile.Sample, s)
}

// smallOnes stands for what the report's bounds left out below an entry.
const smallOnes = "(smaller ones)"

// dominators adds the dominator tree.
func (b *profileBuilder) dominators(r *Report) {
	if r.Heap.ReachableBytes == nil || r.Heap.ReachableObjects == nil {
		return
	}
	type open struct{ bytes, objects int64 } // not yet accounted for
	way := []*profile.Location{}
	left := []open{{*r.Heap.ReachableBytes, *r.Heap.ReachableObjects}}
	closeTo := func(depth int) {
		for len(left) > depth {
			rest := left[len(left)-1]
			left = left[:len(left)-1]
			b.sample(append(slices.Clone(way), b.location(smallOnes)), profileBytes, profileObjects, max(rest.bytes, 0), max(rest.objects, 0))
			if len(way) > 0 {
				way = way[:len(way)-1]
			}
		}
	}
	for _, n := range r.DominatorTree {
		if n.Depth < 0 || n.Depth >= len(left) {
			continue // its parent is missing
		}
		closeTo(n.Depth + 1)
		left[n.Depth].bytes -= n.RetainedBytes
		left[n.Depth].objects -= n.RetainedObjects
		way = append(way, b.location(n.name()))
		b.sample(way, profileBytes, profileObjects, n.ShallowBytes, n.Objects)
		left = append(left, open{n.RetainedBytes - n.ShallowBytes, n.RetainedObjects - n.Objects})
	}
	closeTo(0)
}

// holders adds the paths to the referents that are held.
func (b *profileBuilder) holders(r *Report) {
	if r.Finalizers == nil {
		return
	}
	for _, c := range r.Finalizers.Classes {
		for _, path := range c.Paths {
			way := []*profile.Location{b.location(rootName(path))}
			for _, s := range path.Steps {
				way = append(way, b.location(s.Class))
			}
			b.sample(way, profileHeldBytes, profileHeldObjects, path.Bytes, path.Objects)
		}
	}
}
