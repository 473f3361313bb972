package report

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPrintable(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		assert.Equal(t, want, Printable(in))
	}
	f("one\x1btwo", `one\x1btwo`)
	f(strings.Repeat("x", 1024), strings.Repeat("x", 1024))
	f(strings.Repeat("x", 1025), strings.Repeat("x", 1023)+"…")
}

// hostile is a report in which every string tries to take over the terminal.
func hostile() *Report {
	r := seedReport()
	poison(reflect.ValueOf(r))
	return r
}

// poison changes every string under v.
func poison(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("\x1b[31m\u009b2J\u202e\r\n\xff" + v.String())
	case reflect.Pointer:
		if !v.IsNil() {
			poison(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			poison(v.Index(i))
		}
	case reflect.Struct:
		for _, field := range v.Fields() {
			poison(field)
		}
	}
}

func TestTextIsSafeOnATerminal(t *testing.T) {
	for name, render := range map[string]func(*bytes.Buffer) error{
		"text":      func(b *bytes.Buffer) error { return Text(b, hostile(), TextOptions{Width: 80}) },
		"verdict":   func(b *bytes.Buffer) error { return Verdict(b, hostile(), TextOptions{}) },
		"histogram": func(b *bytes.Buffer) error { return HistogramText(b, hostile(), TextOptions{Width: 300}) },
		"json":      func(b *bytes.Buffer) error { return JSON(b, hostile()) },
	} {
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			require.NoError(t, render(&got))
			at := strings.IndexFunc(got.String(), func(r rune) bool { return r != '\n' && !unicode.IsGraphic(r) })
			assert.Equal(t, -1, at, "a control character at %d of:\n%q", at, got.String())
		})
	}
}

// What the JSON form escapes must come back as it was.
func TestJSONKeepsHostileNames(t *testing.T) {
	r := seedReport()
	r.Dump.Path = "\x1b[2J\u009b\u202e\U000E0041<&>.hprof"
	var got bytes.Buffer
	require.NoError(t, JSON(&got, r))
	assert.Contains(t, got.String(), `\u001b[2J\u009b\u202e\udb40\udc41<&>`)
	var back Report
	require.NoError(t, json.Unmarshal(got.Bytes(), &back))
	assert.Equal(t, r.Dump.Path, back.Dump.Path)
}

func TestJSONOfAnEmptyReportHasNoNulls(t *testing.T) {
	var got bytes.Buffer
	require.NoError(t, JSON(&got, &Report{}))
	assert.NotContains(t, got.String(), "null")
	assert.Contains(t, got.String(), `"histogram": []`)
	assert.NotContains(t, got.String(), `"findings"`, "a part that was not computed is absent")
}

func TestRenderersLeaveTheReportAlone(t *testing.T) {
	r := seedReport()
	r.Warnings, r.Dump.Path = nil, "\x1bdump"
	var got bytes.Buffer
	require.NoError(t, Text(&got, r, TextOptions{Width: 80}))
	require.NoError(t, JSON(&got, r))
	want := seedReport()
	want.Warnings, want.Dump.Path = nil, "\x1bdump"
	assert.Equal(t, want, r)
}

// rewritten copies by kind: a kind it doesn't know would share memory with the
// original and keep its strings as they are.
func TestModelHasOnlyKindsThatRewrittenKnows(t *testing.T) {
	walkModel(t, reflect.TypeFor[Report](), "", func(path string, ty reflect.Type) {
		switch ty.Kind() {
		case reflect.Map, reflect.Interface, reflect.Array, reflect.Func, reflect.Chan, reflect.UnsafePointer:
			t.Errorf("%s is a %s: teach rewritten about it", path, ty.Kind())
		}
	})
}

// walkModel visits every field under ty with its dotted JSON path; lists are
// marked by "[]" as in the documentation.
func walkModel(t *testing.T, ty reflect.Type, path string, visit func(path string, ty reflect.Type)) {
	t.Helper()
	switch ty.Kind() {
	case reflect.Pointer:
		walkModel(t, ty.Elem(), path, visit)
	case reflect.Slice:
		walkModel(t, ty.Elem(), path+"[]", visit)
	case reflect.Struct:
		for field := range ty.Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			require.NotEmpty(t, name, "%s.%s has no JSON name", ty, field.Name)
			at := strings.TrimPrefix(path+"."+name, ".")
			visit(at, field.Type)
			walkModel(t, field.Type, at, visit)
		}
	}
}
