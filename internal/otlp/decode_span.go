package otlp

import (
	"math"

	"github.com/VictoriaMetrics/easyproto"
)

func (d *decoder) span(src []byte, s *Span) error {
	return fields(src, "span", func(f *easyproto.FieldContext) error {
		switch f.FieldNum {
		case 1:
			return readID(f, s.TraceID[:], "trace_id")
		case 2:
			return readID(f, s.ID[:], "span_id")
		case 3:
			return d.readName(f, &s.TraceState, "trace_state")
		case 4:
			return readID(f, s.Parent[:], "parent_span_id")
		case 5:
			return d.readName(f, &s.Name, "span name")
		case 6:
			n, ok := f.Int32()
			return read(Kind(n), ok, &s.Kind, "kind")
		case 7:
			return readTime(f, &s.Start, "start_time_unix_nano")
		case 8:
			return readTime(f, &s.End, "end_time_unix_nano")
		case 9:
			return d.attribute(f, &s.Attributes, &s.DroppedAttributes)
		case 10:
			return addCount(f, &s.DroppedAttributes, "dropped_attributes_count")
		case 11:
			if !d.fits(len(s.Events), d.Events, &s.DroppedEvents) {
				return nil
			}
			return message(f, "event", func(b []byte) error { return d.event(b, s) })
		case 12:
			return addCount(f, &s.DroppedEvents, "dropped_events_count")
		case 13:
			if !d.fits(len(s.Links), d.Links, &s.DroppedLinks) {
				return nil
			}
			return message(f, "link", func(b []byte) error { return d.link(b, s) })
		case 14:
			return addCount(f, &s.DroppedLinks, "dropped_links_count")
		case 15:
			return message(f, "status", func(b []byte) error { return d.status(b, s) })
		case 16:
			n, ok := f.Fixed32()
			return read(n, ok, &s.Flags, "flags")
		}
		return nil
	})
}

func (d *decoder) event(src []byte, s *Span) error {
	var e Event
	err := fields(src, "event", func(f *easyproto.FieldContext) error {
		switch f.FieldNum {
		case 1:
			return readTime(f, &e.Time, "time_unix_nano")
		case 2:
			return d.readName(f, &e.Name, "event name")
		case 3:
			return d.attribute(f, &e.Attributes, &e.Dropped)
		case 4:
			return addCount(f, &e.Dropped, "dropped_attributes_count")
		}
		return nil
	})
	s.Events = append(s.Events, e)
	return err
}

func (d *decoder) link(src []byte, s *Span) error {
	var l Link
	err := fields(src, "link", func(f *easyproto.FieldContext) error {
		switch f.FieldNum {
		case 1:
			return readID(f, l.TraceID[:], "trace_id of a link")
		case 2:
			return readID(f, l.SpanID[:], "span_id of a link")
		case 3:
			return d.readName(f, &l.TraceState, "trace_state of a link")
		case 4:
			return d.attribute(f, &l.Attributes, &l.Dropped)
		case 5:
			return addCount(f, &l.Dropped, "dropped_attributes_count")
		case 6:
			n, ok := f.Fixed32()
			return read(n, ok, &l.Flags, "flags of a link")
		}
		return nil
	})
	s.Links = append(s.Links, l)
	return err
}

func (d *decoder) status(src []byte, s *Span) error {
	return fields(src, "status", func(f *easyproto.FieldContext) error {
		switch f.FieldNum {
		case 2:
			text, ok := f.String()
			return read(d.text(text), ok, &s.StatusMessage, "status message")
		case 3:
			n, ok := f.Int32()
			return read(n, ok, &s.Status, "status code")
		}
		return nil
	})
}

// attribute reads one more attribute, or counts it as dropped.
func (d *decoder) attribute(f *easyproto.FieldContext, to *Attributes, dropped *uint32) error {
	if !d.fits(len(*to), d.Attributes, dropped) {
		return nil
	}
	return message(f, "attribute", func(b []byte) error { return d.keyValue(b, to, d.Depth) })
}

func (d *decoder) keyValue(src []byte, to *Attributes, depth int) error {
	var a Attribute
	err := fields(src, "attribute", func(f *easyproto.FieldContext) error {
		switch f.FieldNum {
		case 1:
			return d.readName(f, &a.Key, "key of an attribute")
		case 2:
			return message(f, "value of an attribute", func(b []byte) error { return d.value(b, &a.Value, depth) })
		}
		return nil
	})
	*to = append(*to, a)
	return err
}

// value reads an AnyValue; depth is how many levels below it may be.
func (d *decoder) value(src []byte, v *Value, depth int) error {
	return fields(src, "value", func(f *easyproto.FieldContext) error {
		switch f.FieldNum {
		case 1:
			s, ok := f.String()
			return read(String(d.text(s)), ok, v, "string_value")
		case 2:
			b, ok := f.Bool()
			return read(Bool(b), ok, v, "bool_value")
		case 3:
			n, ok := f.Int64()
			return read(Int(n), ok, v, "int_value")
		case 4:
			x, ok := f.Double()
			return read(Value{Type: TypeDouble, Number: int64(math.Float64bits(x))}, ok, v, "double_value")
		case 5:
			*v = Value{Type: TypeList}
			return d.members(f, "array_value", depth, func(b []byte) error {
				v.List = append(v.List, Value{})
				return d.value(b, &v.List[len(v.List)-1], depth-1)
			}, func() int { return len(v.List) })
		case 6:
			*v = Value{Type: TypeMap}
			return d.members(f, "kvlist_value", depth, func(b []byte) error { return d.keyValue(b, &v.Map, depth-1) }, func() int { return len(v.Map) })
		case 7:
			b, ok := f.Bytes()
			return read(Value{Type: TypeBytes, Text: d.bytes(b)}, ok, v, "bytes_value")
		}
		return nil
	})
}

// members reads the members of a list or map, within its limits.
func (d *decoder) members(f *easyproto.FieldContext, name string, depth int, add func([]byte) error, length func() int) error {
	return message(f, name, func(b []byte) error {
		return fields(b, name, func(f *easyproto.FieldContext) error {
			if f.FieldNum != 1 {
				return nil
			}
			if !d.nests(length(), depth) {
				return nil
			}
			return message(f, name, add)
		})
	})
}

// bytes is a copy, cut where it is too long.
func (d *decoder) bytes(b []byte) string {
	if len(b) > d.TextBytes {
		d.loss.Cut++
		b = b[:d.TextBytes]
	}
	return string(b)
}
