package tx

import (
	"cmp"
	"slices"
	"unique"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// maxNodes bounds the merged tree of one record.
const maxNodes = 2000

// frameName is a call as people write it.
func frameName(f jvm.Frame) string { return f.Class + "." + f.Method }

// frame is the call that a sample is known by: the application's innermost one, or
// the innermost of all.
func (s sample) frame() string {
	switch {
	case len(s.stack) == 0:
		return ""
	case s.app >= 0:
		return frameName(s.stack[s.app].Value())
	}
	return frameName(s.stack[0].Value())
}

// spans gives each sample the time from half way to its neighbours, in milliseconds
// since the start: n samples have n+1 boundaries.
func spans(rec *Record, samples []sample) []int64 {
	at := make([]int64, len(samples)+1)
	for i := 1; i < len(samples); i++ {
		a, b := samples[i-1].at.Sub(rec.Start).Milliseconds(), samples[i].at.Sub(rec.Start).Milliseconds()
		at[i] = min(rec.Elapsed.Ms, max(at[i-1], a+(b-a)/2))
	}
	at[len(samples)] = rec.Elapsed.Ms
	return at
}

// segments are the stretches of one class and call on the time axis.
func segments(rec *Record, samples []sample) []Segment {
	out := []Segment{}
	at := spans(rec, samples)
	for i, s := range samples {
		frame := s.frame()
		here := Segment{FromMs: at[i], ToMs: at[i+1], Class: s.class, Frame: frame}
		if s.sight != nil {
			here.Peer, here.SQL = s.sight.socket.Remote.String(), s.sight.sql
		}
		if n := len(out); n > 0 && out[n-1].goesOn(here) {
			last := &out[n-1]
			last.ToMs, last.Peer, last.SQL = here.ToMs, cmp.Or(last.Peer, here.Peer), cmp.Or(last.SQL, here.SQL)
			continue
		}
		out = append(out, here)
	}
	return out
}

// goesOn tells whether the next stretch is of one kind with this: nothing that is known of
// both differs.
func (s Segment) goesOn(next Segment) bool {
	differ := func(a, b string) bool { return a != "" && b != "" && a != b }
	return s.Class == next.Class && s.Frame == next.Frame && !differ(s.Peer, next.Peer) && !differ(s.SQL, next.SQL)
}

// mergeStacks merges the stacks into one tree, nil without any.
func mergeStacks(rec *Record, samples []sample) *Node {
	root := &Node{Frame: "all"}
	at := spans(rec, samples)
	nodes := 0
	for i, s := range samples {
		if len(s.stack) == 0 {
			continue
		}
		ms := at[i+1] - at[i]
		node := root
		node.Samples++
		node.Ms += ms
		for d := len(s.stack) - 1; d >= 0; d-- {
			child := node.child(s.stack[d])
			if child == nil {
				if nodes++; nodes > maxNodes {
					break
				}
				f := s.stack[d].Value()
				child = &Node{Frame: frameName(f), File: f.File, Line: f.Line, App: d == s.app}
				node.Children = append(node.Children, child)
			}
			child.Samples++
			child.Ms += ms
			if d == 0 {
				child.Class = s.class
			}
			node = child
		}
	}
	if root.Samples == 0 {
		return nil
	}
	root.sort()
	return root
}

func (n *Node) child(h unique.Handle[jvm.Frame]) *Node {
	f := h.Value()
	name := frameName(f)
	for _, c := range n.Children {
		if c.Line == f.Line && c.Frame == name {
			return c
		}
	}
	return nil
}

func (n *Node) sort() {
	slices.SortFunc(n.Children, func(a, b *Node) int { return cmp.Or(cmp.Compare(b.Ms, a.Ms), cmp.Compare(a.Frame, b.Frame)) })
	for _, c := range n.Children {
		c.sort()
	}
}
