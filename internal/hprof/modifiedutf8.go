package hprof

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// text decodes the JVM's own form of UTF-8, in which names are written: NUL takes two
// bytes, and a character beyond U+FFFF is a pair of surrogates of three bytes each. Bytes
// that are neither that nor UTF-8 become U+FFFD.
//
// Source: Java Virtual Machine Specification, 4.4.7.
func text(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	var s strings.Builder
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		switch {
		case r != utf8.RuneError || size > 1:
		case len(b) >= 2 && b[0] == 0xC0 && b[1] == 0x80:
			r, size = 0, 2
		default:
			if pair := utf16.DecodeRune(surrogate(b), surrogate(b[min(3, len(b)):])); pair != utf8.RuneError {
				r, size = pair, 6
			}
		}
		s.WriteRune(r)
		b = b[size:]
	}
	return s.String()
}

// surrogate decodes the surrogate in the first three bytes, 0 if there is none.
func surrogate(b []byte) rune {
	if len(b) < 3 || b[0] != 0xED || b[1]&0xE0 != 0xA0 || b[2]&0xC0 != 0x80 {
		return 0
	}
	return 0xD000 | rune(b[1]&0x3F)<<6 | rune(b[2]&0x3F)
}
