package otlp

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Limits bound what one request may bring.
type Limits struct {
	// BodyBytes bounds the body as sent, InflatedBytes what it inflates to.
	BodyBytes, InflatedBytes int64
	// Spans bounds the spans of a request; those beyond are rejected.
	Spans int
	// Attributes, Events and Links bound those of one span, List the values of one list.
	// Those beyond are dropped.
	Attributes, Events, Links, List int
	// Values bounds all of those of a request together.
	Values int
	// Depth bounds values within values; what is deeper is dropped.
	Depth int
	// NameBytes bounds names and keys, TextBytes values; they are cut.
	NameBytes, TextBytes int
}

// DefaultLimits are for agents, which send some hundreds of spans at once.
func DefaultLimits() Limits {
	return Limits{
		BodyBytes: 4 << 20, InflatedBytes: 16 << 20, Spans: 20_000,
		Attributes: 128, Events: 64, Links: 64, List: 128, Values: 500_000, Depth: 4,
		NameBytes: 512, TextBytes: 16 << 10,
	}
}

// ErrMalformed is wrapped by the errors of bodies that are no such message.
var ErrMalformed = errors.New("malformed OTLP message")

// Loss counts what the limits took from one request.
type Loss struct {
	// NoID, NoTime and TooMany are spans rejected: without a valid id, with an end
	// before the start or no start, and beyond Limits.Spans.
	NoID, NoTime, TooMany int
	// Cut are values that were shortened or left out of spans that were accepted.
	Cut int
}

// Rejected is the number of spans that were not taken.
func (l Loss) Rejected() int { return l.NoID + l.NoTime + l.TooMany }

// String says it to the sender; empty where nothing is lost.
func (l Loss) String() string {
	var parts []string
	add := func(n int, what string) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, what))
		}
	}
	add(l.NoID, "without a valid trace and span id")
	add(l.NoTime, "without a start, or with an end before it")
	add(l.TooMany, "more than one request may have")
	add(l.Cut, "values cut")
	return strings.Join(parts, ", ")
}

// limiter holds one request to the limits.
type limiter struct {
	Limits
	spans, values int
	loss          Loss
}

// take decides on a span that was read.
func (l *limiter) take(s *Span) bool {
	switch {
	case s.TraceID == TraceID{} || s.ID == SpanID{}:
		l.loss.NoID++
	case s.Start <= 0 || s.End < s.Start:
		l.loss.NoTime++
	default:
		return true
	}
	return false
}

// room tells whether one more span may be read.
func (l *limiter) room() bool {
	if l.spans >= l.Spans {
		l.loss.TooMany++
		return false
	}
	l.spans++
	return true
}

// name is a name or key of its own memory, cut where it is too long.
func (l *limiter) name(s string) string { return l.cut(s, l.NameBytes) }

// text is the same for a value.
func (l *limiter) text(s string) string { return l.cut(s, l.TextBytes) }

func (l *limiter) cut(s string, most int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) > most {
		l.loss.Cut++
		for most > 0 && !utf8.RuneStart(s[most]) {
			most--
		}
		s = s[:most]
	}
	return strings.Clone(s)
}

// fits tells whether a list with n members may have one more; dropped counts those that
// it may not.
func (l *limiter) fits(n, most int, dropped *uint32) bool {
	if n < most && l.values < l.Values {
		l.values++
		return true
	}
	l.loss.Cut++
	*dropped++
	return false
}

// nests is fits for a member of a value, which may have depth more levels below it.
func (l *limiter) nests(n, depth int) bool {
	var unsaid uint32
	if depth <= 0 {
		l.loss.Cut++
		return false
	}
	return l.fits(n, l.List, &unsaid)
}
