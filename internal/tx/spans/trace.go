package spans

import (
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/otlp"
)

// key names the part of a trace that is of one process.
type key struct {
	source Source
	id     otlp.TraceID
}

// trace is the spans that wait of it.
type trace struct {
	key   key
	since time.Time
	parts []part
	// roots are the local ones that came and are not decided on: one as a rule, more where
	// a trace comes back to a process.
	roots []root
}

// hasRoot tells whether a local root of that id waits.
func (t *trace) hasRoot(id otlp.SpanID) bool {
	for _, r := range t.roots {
		if r.span.ID == id {
			return true
		}
	}
	return false
}

// part is a span with what it came with.
type part struct {
	span *otlp.Span
	from origin
}

// root is a local root and when it came.
type root struct {
	span *otlp.Span
	at   time.Time
}

// localRoot tells the span of a request itself, whose parent is in another process or
// nowhere.
func localRoot(s *otlp.Span) bool {
	switch {
	case s.Parent == otlp.SpanID{}:
		return true
	case s.Flags&otlp.FlagHasRemote != 0:
		return s.Flags&otlp.FlagRemote != 0
	}
	return s.Kind == otlp.KindServer || s.Kind == otlp.KindConsumer
}

func duration(s *otlp.Span) time.Duration { return time.Duration(s.End - s.Start) }

// claim takes out a root and all below it; with orphans also those whose way up breaks
// off, if they lie inside the root's time.
func (t *trace) claim(root *otlp.Span, orphans bool) []part {
	byID := make(map[otlp.SpanID]*otlp.Span, len(t.parts))
	for _, p := range t.parts {
		byID[p.span.ID] = p.span
	}
	owner := map[otlp.SpanID]*otlp.Span{} // the end of each way up that was walked
	var taken []part
	kept := t.parts[:0]
	for _, p := range t.parts {
		top := topOf(p.span, byID, owner)
		orphan := orphans && !localRoot(top) && p.span.Start >= root.Start && p.span.End <= root.End
		if top == root || orphan {
			taken = append(taken, p)
		} else {
			kept = append(kept, p)
		}
	}
	clear(t.parts[len(kept):])
	t.parts = kept
	for i := range t.roots {
		if t.roots[i].span == root {
			t.roots = append(t.roots[:i], t.roots[i+1:]...)
			break
		}
	}
	return taken
}

// topOf walks up to a local root, or to the last span whose parent is not there.
func topOf(s *otlp.Span, byID map[otlp.SpanID]*otlp.Span, owner map[otlp.SpanID]*otlp.Span) *otlp.Span {
	var way []otlp.SpanID
	top := s
	for steps := 0; !localRoot(top) && steps < len(byID); steps++ {
		if known := owner[top.ID]; known != nil {
			top = known
			break
		}
		way = append(way, top.ID)
		parent := byID[top.Parent]
		if parent == nil {
			break
		}
		top = parent
	}
	for _, id := range way {
		owner[id] = top
	}
	return top
}
