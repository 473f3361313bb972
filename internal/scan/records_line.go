package scan

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/apm-sidecar/apm-sidecar/internal/report"
)

// line is a line of named values under construction, as text or as a JSON object.
type line struct {
	json bool
	b    []byte
}

// begin starts a line: where it is in the file, what kind of thing it is, its name and
// how many bytes it has.
func (l *line) begin(offset int64, kind, name string, length int64) {
	l.b = l.b[:0]
	if l.json {
		l.b = fmt.Appendf(l.b, `{"offset":%d,%q:%q,"length":%d`, offset, kind, name, length)
		return
	}
	indent := ""
	if kind == "sub_record" {
		indent = "  "
	}
	l.b = fmt.Appendf(l.b, "%12d  %-22s %10d ", offset, indent+name, length)
}

// done ends the line and returns it, until the next one is begun.
func (l *line) done() []byte {
	if l.json {
		l.b = append(l.b, '}')
	}
	l.b = append(l.b, '\n')
	return l.b
}

// key writes the name of a value. Names are ours and need no escapes.
func (l *line) key(name string) {
	if l.json {
		l.b = append(append(append(l.b, `,"`...), name...), `":`...)
		return
	}
	l.b = append(append(append(l.b, ' '), name...), '=')
}

func (l *line) number(name string, n int64) {
	l.key(name)
	l.b = strconv.AppendInt(l.b, n, 10)
}

// address writes an id in hexadecimal.
func (l *line) address(name string, id uint64) {
	l.key(name)
	if l.json {
		l.b = append(appendAddress(append(l.b, '"'), id), '"')
		return
	}
	l.b = appendAddress(l.b, id)
}

func (l *line) text(name, s string) {
	l.key(name)
	l.quoted(s)
}

// quoted writes a string of the dump, which may hold anything.
func (l *line) quoted(s string) {
	if !l.json {
		l.b = append(append(append(l.b, '"'), report.Printable(s)...), '"')
		return
	}
	text, err := json.Marshal(s)
	if err != nil {
		text = []byte(`""`) // never of a string
	}
	l.b = append(l.b, report.EscapeHidden(text)...)
}

// hex writes the first bytes of a body of all bytes.
func (l *line) hex(name string, b []byte, all int) {
	l.key(name)
	if l.json {
		l.b = append(l.b, '"')
	}
	l.b = hex.AppendEncode(l.b, b)
	if all > len(b) {
		l.b = append(l.b, "…"...)
	}
	if l.json {
		l.b = append(l.b, '"')
	}
}

// list writes the first items of a list of all items.
func (l *line) list(name string, items []string, all int) {
	l.number(name+"_count", int64(all))
	l.key(name)
	l.b = append(l.b, '[')
	for i, item := range items {
		switch {
		case i > 0 && l.json:
			l.b = append(l.b, ',')
		case i > 0:
			l.b = append(l.b, ", "...)
		}
		if l.json {
			l.quoted(item)
		} else {
			l.b = append(l.b, report.Printable(item)...)
		}
	}
	l.b = append(l.b, ']')
}
