package otlp

import (
	"math"

	"github.com/VictoriaMetrics/easyproto"
)

// Encode writes an ExportTraceServiceRequest in protobuf. Groups in a row that share
// their resource share its message.
func Encode(groups []Group) []byte {
	var m easyproto.Marshaler
	request := m.MessageMarshaler()
	var resourceSpans *easyproto.MessageMarshaler
	for i, g := range groups {
		if i == 0 || g.Resource != groups[i-1].Resource {
			resourceSpans = request.AppendMessage(1)
			resource := resourceSpans.AppendMessage(1)
			attributes(resource, 1, g.Resource.Attributes)
			count(resource, 2, g.Resource.Dropped)
			text(resourceSpans, 3, g.Resource.SchemaURL)
		}
		scopeSpans := resourceSpans.AppendMessage(2)
		scope := scopeSpans.AppendMessage(1)
		text(scope, 1, g.Scope.Name)
		text(scope, 2, g.Scope.Version)
		attributes(scope, 3, g.Scope.Attributes)
		count(scope, 4, g.Scope.Dropped)
		text(scopeSpans, 3, g.Scope.SchemaURL)
		for _, s := range g.Spans {
			s.encode(scopeSpans.AppendMessage(2))
		}
	}
	return m.Marshal(nil)
}

func (s *Span) encode(m *easyproto.MessageMarshaler) {
	m.AppendBytes(1, s.TraceID[:])
	m.AppendBytes(2, s.ID[:])
	text(m, 3, s.TraceState)
	if s.Parent != (SpanID{}) {
		m.AppendBytes(4, s.Parent[:])
	}
	text(m, 5, s.Name)
	number(m, 6, int32(s.Kind))
	m.AppendFixed64(7, uint64(s.Start))
	m.AppendFixed64(8, uint64(s.End))
	attributes(m, 9, s.Attributes)
	count(m, 10, s.DroppedAttributes)
	for i := range s.Events {
		e := &s.Events[i]
		event := m.AppendMessage(11)
		event.AppendFixed64(1, uint64(e.Time))
		text(event, 2, e.Name)
		attributes(event, 3, e.Attributes)
		count(event, 4, e.Dropped)
	}
	count(m, 12, s.DroppedEvents)
	for i := range s.Links {
		l := &s.Links[i]
		link := m.AppendMessage(13)
		link.AppendBytes(1, l.TraceID[:])
		link.AppendBytes(2, l.SpanID[:])
		text(link, 3, l.TraceState)
		attributes(link, 4, l.Attributes)
		count(link, 5, l.Dropped)
		if l.Flags != 0 {
			link.AppendFixed32(6, l.Flags)
		}
	}
	count(m, 14, s.DroppedLinks)
	if s.Status != 0 || s.StatusMessage != "" {
		status := m.AppendMessage(15)
		text(status, 2, s.StatusMessage)
		number(status, 3, s.Status)
	}
	if s.Flags != 0 {
		m.AppendFixed32(16, s.Flags)
	}
}

func attributes(m *easyproto.MessageMarshaler, field uint32, list Attributes) {
	for i := range list {
		list[i].encode(m.AppendMessage(field))
	}
}

func (a *Attribute) encode(m *easyproto.MessageMarshaler) {
	text(m, 1, a.Key)
	a.Value.encode(m.AppendMessage(2))
}

// encode writes an AnyValue. A member of a oneof is written even where it is empty or
// zero.
func (v *Value) encode(m *easyproto.MessageMarshaler) {
	switch v.Type {
	case TypeString:
		m.AppendString(1, v.Text)
	case TypeBool:
		m.AppendBool(2, v.Number != 0)
	case TypeInt:
		m.AppendInt64(3, v.Number)
	case TypeDouble:
		m.AppendDouble(4, math.Float64frombits(uint64(v.Number)))
	case TypeList:
		list := m.AppendMessage(5)
		for i := range v.List {
			v.List[i].encode(list.AppendMessage(1))
		}
	case TypeMap:
		attributes(m.AppendMessage(6), 1, v.Map)
	case TypeBytes:
		m.AppendString(7, v.Text)
	}
}

// text, count and number leave out what is empty or zero, as proto3 does.
func text(m *easyproto.MessageMarshaler, field uint32, s string) {
	if s != "" {
		m.AppendString(field, s)
	}
}

func count(m *easyproto.MessageMarshaler, field, n uint32) {
	if n != 0 {
		m.AppendUint32(field, n)
	}
}

func number(m *easyproto.MessageMarshaler, field uint32, n int32) {
	if n != 0 {
		m.AppendInt32(field, n)
	}
}
