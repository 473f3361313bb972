package otlp

import (
	"fmt"

	"github.com/VictoriaMetrics/easyproto"
)

// Decode reads an ExportTraceServiceRequest in protobuf. What it returns shares no
// memory with body. Its errors wrap ErrMalformed; what the limits took is no error.
func Decode(body []byte, limits Limits) ([]Group, Loss, error) {
	d := decoder{limiter{Limits: limits}}
	var groups []Group
	err := fields(body, "request", func(f *easyproto.FieldContext) error {
		if f.FieldNum != 1 {
			return nil
		}
		return message(f, "resource_spans", func(b []byte) error { return d.resourceSpans(b, &groups) })
	})
	return groups, d.loss, err
}

// decoder reads messages within limits.
type decoder struct{ limiter }

// fields visits the fields of a message. A field that is known by its number but has
// another type than ours is an error of visit; unknown ones are its to leave alone.
func fields(src []byte, name string, visit func(*easyproto.FieldContext) error) error {
	var f easyproto.FieldContext
	for whole := len(src); len(src) > 0; {
		at := whole - len(src)
		var err error
		if src, err = f.NextField(src); err != nil {
			return fmt.Errorf("%w: %s at byte %d: %w", ErrMalformed, name, at, err)
		}
		if err := visit(&f); err != nil {
			return err
		}
	}
	return nil
}

// wrongType says that a field does not have the type that it should.
func wrongType(field string) error { return fmt.Errorf("%w: %s has a wrong type", ErrMalformed, field) }

// message hands over the bytes of a message in a field.
func message(f *easyproto.FieldContext, name string, read func([]byte) error) error {
	b, ok := f.MessageData()
	if !ok {
		return wrongType(name)
	}
	return read(b)
}

// read sets what to by a field's value; name is for errors.
func read[T any](value T, ok bool, what *T, name string) error {
	if !ok {
		return wrongType(name)
	}
	*what = value
	return nil
}

func (d *decoder) resourceSpans(src []byte, groups *[]Group) error {
	resource := &Resource{}
	first := len(*groups)
	err := fields(src, "resource_spans", func(f *easyproto.FieldContext) error {
		switch f.FieldNum {
		case 1:
			return message(f, "resource", func(b []byte) error { return d.resource(b, resource) })
		case 2:
			return message(f, "scope_spans", func(b []byte) error {
				g, err := d.scopeSpans(b)
				if len(g.Spans) > 0 {
					*groups = append(*groups, g)
				}
				return err
			})
		case 3:
			return d.readName(f, &resource.SchemaURL, "schema_url")
		}
		return nil
	})
	for i := range (*groups)[first:] {
		(*groups)[first+i].Resource = resource
	}
	return err
}

func (d *decoder) resource(src []byte, r *Resource) error {
	return fields(src, "resource", func(f *easyproto.FieldContext) error {
		switch f.FieldNum {
		case 1:
			return d.attribute(f, &r.Attributes, &r.Dropped)
		case 2:
			return addCount(f, &r.Dropped, "dropped_attributes_count")
		}
		return nil
	})
}

func (d *decoder) scopeSpans(src []byte) (Group, error) {
	g := Group{Scope: &Scope{}}
	err := fields(src, "scope_spans", func(f *easyproto.FieldContext) error {
		switch f.FieldNum {
		case 1:
			return message(f, "scope", func(b []byte) error { return d.scope(b, g.Scope) })
		case 2:
			return message(f, "span", func(b []byte) error {
				if !d.room() {
					return nil
				}
				s := &Span{}
				if err := d.span(b, s); err != nil {
					return err
				}
				if d.take(s) {
					g.Spans = append(g.Spans, s)
				}
				return nil
			})
		case 3:
			return d.readName(f, &g.Scope.SchemaURL, "schema_url")
		}
		return nil
	})
	return g, err
}

func (d *decoder) scope(src []byte, s *Scope) error {
	return fields(src, "scope", func(f *easyproto.FieldContext) error {
		switch f.FieldNum {
		case 1:
			return d.readName(f, &s.Name, "scope name")
		case 2:
			return d.readName(f, &s.Version, "scope version")
		case 3:
			return d.attribute(f, &s.Attributes, &s.Dropped)
		case 4:
			return addCount(f, &s.Dropped, "dropped_attributes_count")
		}
		return nil
	})
}

// readName reads a short text.
func (d *decoder) readName(f *easyproto.FieldContext, to *string, field string) error {
	s, ok := f.String()
	if !ok {
		return wrongType(field)
	}
	*to = d.name(s)
	return nil
}

// addCount adds a count of the sender to our own.
func addCount(f *easyproto.FieldContext, to *uint32, field string) error {
	n, ok := f.Uint32()
	if !ok {
		return wrongType(field)
	}
	*to += n
	return nil
}

// id copies an identifier of its exact length; others stay zero, which is none.
func id(to []byte, b []byte) {
	if len(b) == len(to) {
		copy(to, b)
	}
}

// readID reads an identifier.
func readID(f *easyproto.FieldContext, to []byte, field string) error {
	b, ok := f.Bytes()
	if !ok {
		return wrongType(field)
	}
	id(to, b)
	return nil
}

// readTime reads a moment; one beyond the year 2262 is none.
func readTime(f *easyproto.FieldContext, to *int64, field string) error {
	n, ok := f.Fixed64()
	if !ok {
		return wrongType(field)
	}
	*to = max(0, int64(n))
	return nil
}
