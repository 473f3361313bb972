package otlp

import (
	"encoding/hex"
	"math"
	"strconv"
)

// TraceID names a trace; the zero value is none.
type TraceID [16]byte

// SpanID names a span in a trace; the zero value is none.
type SpanID [8]byte

// String is the usual form, in hexadecimal digits.
func (id TraceID) String() string { return hex.EncodeToString(id[:]) }

// String is the usual form, in hexadecimal digits.
func (id SpanID) String() string { return hex.EncodeToString(id[:]) }

// Kind says which side of what a span is.
type Kind int32

// The kinds, by the numbers of the protocol.
const (
	KindUnspecified Kind = iota
	KindInternal
	KindServer
	KindClient
	KindProducer
	KindConsumer
)

// StatusError is the status code of a span that failed.
const StatusError = 2

// The bits of Span.Flags that say where the parent is.
const (
	// FlagHasRemote says that FlagRemote means something.
	FlagHasRemote = 0x100
	// FlagRemote says that the parent is in another process.
	FlagRemote = 0x200
)

// Group is spans of one scope in one resource. Resources and scopes may be shared
// between groups. None of it is changed once handed out.
type Group struct {
	Resource *Resource
	Scope    *Scope
	Spans    []*Span
}

// Resource is what sends spans: a process, as a rule.
type Resource struct {
	Attributes Attributes
	Dropped    uint32
	SchemaURL  string
}

// Scope is the library that made spans.
type Scope struct {
	Name, Version string
	Attributes    Attributes
	Dropped       uint32
	SchemaURL     string
}

// Span is one operation. The Dropped fields count what the sender or our limits left
// out.
type Span struct {
	TraceID    TraceID
	ID, Parent SpanID
	TraceState string
	Flags      uint32
	Name       string
	Kind       Kind
	// Start and End are nanoseconds since the Unix epoch, by the sender's clock; End is
	// not before Start.
	Start, End        int64
	Attributes        Attributes
	DroppedAttributes uint32
	Events            []Event
	DroppedEvents     uint32
	Links             []Link
	DroppedLinks      uint32
	// Status is 0 unset, 1 ok, StatusError.
	Status        int32
	StatusMessage string
}

// Event is something that happened at a moment of a span.
type Event struct {
	Time       int64
	Name       string
	Attributes Attributes
	Dropped    uint32
}

// Link is another span that has to do with this one.
type Link struct {
	TraceID    TraceID
	SpanID     SpanID
	TraceState string
	Attributes Attributes
	Dropped    uint32
	Flags      uint32
}

// Attributes are names with values; a name comes once as a rule.
type Attributes []Attribute

// Attribute is one name with its value.
type Attribute struct {
	Key   string
	Value Value
}

// ValueType says which field of a Value has it.
type ValueType uint8

// The types.
const (
	TypeEmpty ValueType = iota
	TypeString
	TypeBool
	TypeInt
	TypeDouble
	TypeList
	TypeMap
	TypeBytes
)

// Value is the value of an attribute.
type Value struct {
	Type ValueType
	// Text has strings and bytes.
	Text string
	// Number has integers, 0 or 1 for a bool, and the bits of a double.
	Number int64
	List   []Value
	Map    Attributes
}

// String is a value of that type.
func String(s string) Value { return Value{Type: TypeString, Text: s} }

// Int is a value of that type.
func Int(n int64) Value { return Value{Type: TypeInt, Number: n} }

// Bool is a value of that type.
func Bool(b bool) Value {
	if b {
		return Value{Type: TypeBool, Number: 1}
	}
	return Value{Type: TypeBool}
}

// Double is a value of that type.
func Double(f float64) Value { return Value{Type: TypeDouble, Number: int64(math.Float64bits(f))} }

// Text is the first of the named attributes that is a string with something in it, or a
// number in its decimal form; "" without one.
func (a Attributes) Text(keys ...string) string {
	for _, key := range keys {
		for i := range a {
			if a[i].Key != key {
				continue
			}
			switch v := &a[i].Value; {
			case v.Type == TypeString && v.Text != "":
				return v.Text
			case v.Type == TypeInt:
				return strconv.FormatInt(v.Number, 10)
			}
		}
	}
	return ""
}

// Int is the first of the named attributes that is an integer, or a string with one; 0
// without one.
func (a Attributes) Int(keys ...string) int64 {
	n, err := strconv.ParseInt(a.Text(keys...), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// Memory is about how many bytes a resource takes in memory.
func (r *Resource) Memory() int {
	const resource = 96
	return resource + len(r.SchemaURL) + r.Attributes.memory()
}

// Memory is about how many bytes a scope takes in memory.
func (s *Scope) Memory() int {
	const scope = 128
	return scope + len(s.Name) + len(s.Version) + len(s.SchemaURL) + s.Attributes.memory()
}

// Memory is about how many bytes a group takes in memory, of its own resource and scope.
func (g Group) Memory() int {
	n := g.Resource.Memory() + g.Scope.Memory()
	for _, s := range g.Spans {
		n += s.Memory()
	}
	return n
}

// Memory is about how many bytes a span takes in memory.
func (s *Span) Memory() int {
	const span, event, link = 256, 72, 96
	n := span + len(s.TraceState) + len(s.Name) + len(s.StatusMessage) + s.Attributes.memory()
	for i := range s.Events {
		n += event + len(s.Events[i].Name) + s.Events[i].Attributes.memory()
	}
	for i := range s.Links {
		n += link + len(s.Links[i].TraceState) + s.Links[i].Attributes.memory()
	}
	return n
}

func (a Attributes) memory() int {
	n := 0
	for i := range a {
		n += len(a[i].Key) + 16 + a[i].Value.memory()
	}
	return n
}

func (v *Value) memory() int {
	const value = 80
	n := value + len(v.Text) + v.Map.memory()
	for i := range v.List {
		n += v.List[i].memory()
	}
	return n
}
