package otlp

import "fmt"

func (j *jsonDecoder) resourceSpans(groups *[]Group) error {
	resource := &Resource{}
	first := len(*groups)
	err := j.object(func(name string) error {
		switch name {
		case "resource":
			return j.object(func(name string) error {
				switch name {
				case "attributes":
					return j.attributes(&resource.Attributes, &resource.Dropped)
				case "droppedAttributesCount":
					return j.uint32(&resource.Dropped)
				}
				return j.skip()
			})
		case "scopeSpans":
			return j.array(func() error {
				g, err := j.scopeSpans()
				if len(g.Spans) > 0 {
					*groups = append(*groups, g)
				}
				return err
			})
		case "schemaUrl":
			return j.nameTo(&resource.SchemaURL)
		}
		return j.skip()
	})
	for i := range (*groups)[first:] {
		(*groups)[first+i].Resource = resource
	}
	return err
}

func (j *jsonDecoder) scopeSpans() (Group, error) {
	g := Group{Scope: &Scope{}}
	err := j.object(func(name string) error {
		switch name {
		case "scope":
			return j.object(func(name string) error { return j.scope(name, g.Scope) })
		case "spans":
			return j.array(func() error {
				if !j.room() {
					return j.skip()
				}
				s := &Span{}
				if err := j.object(func(name string) error { return j.span(name, s) }); err != nil {
					return err
				}
				if j.take(s) {
					g.Spans = append(g.Spans, s)
				}
				return nil
			})
		case "schemaUrl":
			return j.nameTo(&g.Scope.SchemaURL)
		}
		return j.skip()
	})
	return g, err
}

func (j *jsonDecoder) scope(name string, s *Scope) error {
	switch name {
	case "name":
		return j.nameTo(&s.Name)
	case "version":
		return j.nameTo(&s.Version)
	case "attributes":
		return j.attributes(&s.Attributes, &s.Dropped)
	case "droppedAttributesCount":
		return j.uint32(&s.Dropped)
	}
	return j.skip()
}

// span reads one member of a span; its errors name it.
func (j *jsonDecoder) span(name string, s *Span) error {
	if err := j.spanMember(name, s); err != nil {
		return fmt.Errorf("%s of a span: %w", name, err)
	}
	return nil
}

func (j *jsonDecoder) spanMember(name string, s *Span) (err error) {
	switch name {
	case "traceId":
		return j.hex(s.TraceID[:])
	case "spanId":
		return j.hex(s.ID[:])
	case "parentSpanId":
		return j.hex(s.Parent[:])
	case "traceState":
		return j.nameTo(&s.TraceState)
	case "flags":
		return j.uint32(&s.Flags)
	case "name":
		return j.nameTo(&s.Name)
	case "kind":
		n, err := j.int32()
		s.Kind = Kind(n)
		return err
	case "startTimeUnixNano":
		return j.time(&s.Start)
	case "endTimeUnixNano":
		return j.time(&s.End)
	case "attributes":
		return j.attributes(&s.Attributes, &s.DroppedAttributes)
	case "droppedAttributesCount":
		return j.uint32(&s.DroppedAttributes)
	case "events":
		return j.array(func() error { return j.event(s) })
	case "droppedEventsCount":
		return j.uint32(&s.DroppedEvents)
	case "links":
		return j.array(func() error { return j.link(s) })
	case "droppedLinksCount":
		return j.uint32(&s.DroppedLinks)
	case "status":
		return j.object(func(name string) error {
			switch name {
			case "code":
				s.Status, err = j.int32()
				return err
			case "message":
				text, err := j.string()
				s.StatusMessage = j.text(text)
				return err
			}
			return j.skip()
		})
	}
	return j.skip()
}

func (j *jsonDecoder) event(s *Span) error {
	if !j.fits(len(s.Events), j.Events, &s.DroppedEvents) {
		return j.skip()
	}
	var e Event
	err := j.object(func(name string) error {
		switch name {
		case "timeUnixNano":
			return j.time(&e.Time)
		case "name":
			return j.nameTo(&e.Name)
		case "attributes":
			return j.attributes(&e.Attributes, &e.Dropped)
		case "droppedAttributesCount":
			return j.uint32(&e.Dropped)
		}
		return j.skip()
	})
	s.Events = append(s.Events, e)
	return err
}

func (j *jsonDecoder) link(s *Span) error {
	if !j.fits(len(s.Links), j.Links, &s.DroppedLinks) {
		return j.skip()
	}
	var l Link
	err := j.object(func(name string) error {
		switch name {
		case "traceId":
			return j.hex(l.TraceID[:])
		case "spanId":
			return j.hex(l.SpanID[:])
		case "traceState":
			return j.nameTo(&l.TraceState)
		case "flags":
			return j.uint32(&l.Flags)
		case "attributes":
			return j.attributes(&l.Attributes, &l.Dropped)
		case "droppedAttributesCount":
			return j.uint32(&l.Dropped)
		}
		return j.skip()
	})
	s.Links = append(s.Links, l)
	return err
}

func (j *jsonDecoder) attributes(to *Attributes, dropped *uint32) error {
	return j.array(func() error {
		if !j.fits(len(*to), j.Attributes, dropped) {
			return j.skip()
		}
		return j.keyValue(to, j.Depth)
	})
}

func (j *jsonDecoder) keyValue(to *Attributes, depth int) error {
	var a Attribute
	err := j.object(func(name string) error {
		switch name {
		case "key":
			return j.nameTo(&a.Key)
		case "value":
			return j.value(&a.Value, depth)
		}
		return j.skip()
	})
	*to = append(*to, a)
	return err
}

// value reads an AnyValue; depth is how many levels below it may be.
func (j *jsonDecoder) value(v *Value, depth int) error {
	return j.object(func(name string) error {
		switch name {
		case "stringValue":
			s, err := j.string()
			*v = String(j.text(s))
			return err
		case "boolValue":
			t, err := j.scalar()
			b, ok := t.(bool)
			if err == nil && !ok {
				err = fmt.Errorf("%s where a boolean should be", kindOf(t))
			}
			*v = Bool(b)
			return err
		case "intValue":
			n, err := j.int()
			*v = Int(n)
			return err
		case "doubleValue":
			x, err := j.double()
			*v = Double(x)
			return err
		case "arrayValue":
			*v = Value{Type: TypeList}
			return j.members(depth, func() error {
				v.List = append(v.List, Value{})
				return j.value(&v.List[len(v.List)-1], depth-1)
			}, func() int { return len(v.List) })
		case "kvlistValue":
			*v = Value{Type: TypeMap}
			return j.members(depth, func() error { return j.keyValue(&v.Map, depth-1) }, func() int { return len(v.Map) })
		case "bytesValue":
			s, err := j.base64()
			*v = Value{Type: TypeBytes, Text: s}
			return err
		}
		return j.skip()
	})
}

// members reads the values of a list or map, within its limits.
func (j *jsonDecoder) members(depth int, add func() error, length func() int) error {
	return j.object(func(name string) error {
		if name != "values" {
			return j.skip()
		}
		return j.array(func() error {
			if !j.nests(length(), depth) {
				return j.skip()
			}
			return add()
		})
	})
}
