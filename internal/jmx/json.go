package jmx

import (
	"strconv"
	"unsafe"

	"github.com/valyala/fastjson"
	"github.com/valyala/fastjson/fastfloat"
)

// value is a JSON value of an answer; the zero value is none. It is read-only.
type value struct {
	json *fastjson.Value
	// figures are the numbers of an answer that was taken by its shape: those in json are
	// places among them. Nil for an answer that was parsed.
	figures *figures
}

// kind is the JSON type; null for no value.
func (v value) kind() fastjson.Type {
	if v.json == nil {
		return fastjson.TypeNull
	}
	return v.json.Type()
}

// exists tells a value, which may be null, from none.
func (v value) exists() bool { return v.json != nil }

// get is the value of a key; none if v is no object.
func (v value) get(key string) value { return value{v.json.Get(key), v.figures} }

// each visits the fields of an object in their order; those of something else are none.
func (v value) each(visit func(key []byte, field value)) {
	v.json.GetObject().Visit(func(key []byte, field *fastjson.Value) { visit(key, value{field, v.figures}) })
}

// fields is how many an object has; something else has none.
func (v value) fields() int {
	if o := v.json.GetObject(); o != nil {
		return o.Len()
	}
	return 0
}

// at is an element of an array, i being below elements.
func (v value) at(i int) value { return value{v.json.GetArray()[i], v.figures} }

// elements is how many an array has; something else has none.
func (v value) elements() int { return len(v.json.GetArray()) }

// text is a string; empty for something else.
func (v value) text() string {
	if v.kind() != fastjson.TypeString {
		return ""
	}
	b := v.json.GetStringBytes()
	if v.figures != nil {
		return unsafe.String(unsafe.SliceData(b), len(b)) // of a shape: it stays, and stays as it is
	}
	return string(b)
}

// bool is true for the value true alone.
func (v value) bool() bool { return v.kind() == fastjson.TypeTrue }

// int64 is a number that is an integer, or a string of one: so agents with the option
// serializeLong=string, of 2.0.3 and later, give what is a long in Java.
func (v value) int64() (int64, bool) {
	switch v.kind() {
	case fastjson.TypeNumber:
	case fastjson.TypeString:
		n, err := strconv.ParseInt(v.text(), 10, 64)
		return n, err == nil
	default:
		return 0, false
	}
	if v.figures != nil {
		n, err := fastfloat.ParseInt64(v.figures.of(v.json))
		return n, err == nil
	}
	n, err := v.json.Int64()
	return n, err == nil
}

// float64 is a number.
func (v value) float64() (float64, bool) {
	if v.kind() != fastjson.TypeNumber {
		return 0, false
	}
	if v.figures != nil {
		f, err := fastfloat.Parse(v.figures.of(v.json))
		return f, err == nil
	}
	f, err := v.json.Float64()
	return f, err == nil
}
