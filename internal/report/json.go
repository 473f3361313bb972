package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// JSON writes the report as indented JSON with a line break at its end. The same
// report always gives the same bytes. Lists are never null. Characters that a
// terminal would obey are written as \u escapes, so that the output can be
// looked at; bytes that are no UTF-8 become U+FFFD. Strings of more than 1,024
// characters are cut.
func JSON(w io.Writer, r *Report) error { return writeJSON(w, bounded(r)) }

// writeJSON writes a value of the model.
func writeJSON(w io.Writer, v any) error {
	var plain bytes.Buffer
	encoder := json.NewEncoder(&plain)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(rewritten(v, func(s string) string { return s })); err != nil {
		return fmt.Errorf("encode the report: %w", err)
	}
	_, err := w.Write(EscapeHidden(plain.Bytes()))
	return err
}

// EscapeHidden writes hidden characters of a JSON text as escapes. They can only
// stand inside strings: outside of them JSON has ASCII alone, and the encoder
// has escaped all control characters below U+0020 already.
func EscapeHidden(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for len(text) > 0 {
		if n := plainASCII(text); n > 0 { // nearly all of it
			out, text = append(out, text[:n]...), text[n:]
			continue
		}
		r, size := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError || !unit.Hidden(r):
			out = append(out, text[:size]...)
		case r <= 0xFFFF:
			out = fmt.Appendf(out, `\u%04x`, r)
		default:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		}
		text = text[size:]
	}
	return out
}

// plainASCII returns how many bytes at the beginning of a text are characters of ASCII that show, or ends of lines.
func plainASCII(text []byte) int {
	for i, c := range text {
		if c != '\n' && (c < ' ' || c > '~') {
			return i
		}
	}
	return len(text)
}
