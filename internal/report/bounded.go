package report

import (
	"reflect"
	"unicode/utf8"
)

// maxStringRunes bounds one string of a report, in characters. Java allows class names
// of 64 KiB, and a dump's thread names can be of any length.
const maxStringRunes = 1024

// bounded returns a copy of r whose strings have at most maxStringRunes characters, and
// whose Limits say so. What is bounded already stays the same.
func bounded(r *Report) *Report {
	var count int64
	out := rewritten(r, func(s string) string {
		short := shorten(s, maxStringRunes)
		if len(short) != len(s) {
			count++
		}
		return short
	})
	out.Limits.StringCharacters = maxStringRunes
	out.Limits.StringsCut += count
	return out
}

// shorten cuts a string to at most n characters, the last of them an ellipsis where
// there was more.
func shorten(s string, n int) string {
	if len(s) <= n || utf8.RuneCountInString(s) <= n {
		return s
	}
	runes := 0
	for i := range s {
		if runes == n-1 {
			return s[:i] + "…"
		}
		runes++
	}
	return s
}

// trimmed returns a copy of r with at most bound.rows rows in every list, whose strings
// are safe to look at and have at most bound.runes characters.
func trimmed(r *Report, bound pageBound) *Report {
	out := rewritten(r, func(s string) string { return shorten(Printable(s), bound.runes) })
	cutLists(reflect.ValueOf(out), bound.rows)
	return out
}

// cutLists cuts every list below v to n rows.
func cutLists(v reflect.Value, n int) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			cutLists(v.Elem(), n)
		}
	case reflect.Slice:
		if v.Len() > n {
			v.SetLen(n)
		}
		for i := range v.Len() {
			cutLists(v.Index(i), n)
		}
	case reflect.Struct:
		for _, field := range v.Fields() {
			cutLists(field, n)
		}
	}
}
