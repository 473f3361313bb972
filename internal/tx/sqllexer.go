package tx

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// lexer cuts a statement into tokens (PostgreSQL's manual 4.1, MySQL's 9.1 to 9.7, Oracle's
// "Text Literals").
type lexer struct {
	rest    string
	dialect Dialect
	escapes escapes
	// open says that a quote or a comment has no end.
	open bool
}

// escapes says in which quotes a backslash escapes what follows it.
type escapes struct{ single, double bool }

// escapesOf are the ways in which a dialect's statements may be read, the usual one first.
func escapesOf(d Dialect) []escapes {
	none, both, single := escapes{}, escapes{single: true, double: true}, escapes{single: true}
	switch d {
	case DialectPostgreSQL:
		return []escapes{none, single}
	case DialectMySQL:
		return []escapes{both, none, single}
	}
	return []escapes{none, both, single}
}

func (l *lexer) tokens() []token {
	var out []token
	space := false
	for l.rest != "" {
		if l.blank() {
			space = true
			continue
		}
		t := l.next()
		t.space, t.left = space, len(l.rest)
		out = append(out, t)
		space = false
	}
	return out
}

// take cuts off n bytes.
func (l *lexer) take(n int) string {
	n = min(n, len(l.rest))
	taken := l.rest[:n]
	l.rest = l.rest[n:]
	return taken
}

// blank skips white space or a comment.
func (l *lexer) blank() bool {
	switch trimmed := strings.TrimLeftFunc(l.rest, unicode.IsSpace); {
	case len(trimmed) < len(l.rest):
		l.rest = trimmed
	case strings.HasPrefix(l.rest, "--"), l.rest[0] == '#' && l.dialect == DialectMySQL:
		line := strings.IndexByte(l.rest, '\n')
		if line < 0 {
			line = len(l.rest) - 1
		}
		l.take(line + 1)
	case strings.HasPrefix(l.rest, "/*"):
		l.comment()
	default:
		return false
	}
	return true
}

// comment skips a comment in slashes and stars; PostgreSQL nests them.
func (l *lexer) comment() {
	depth := 0
	for l.rest != "" {
		switch {
		case strings.HasPrefix(l.rest, "/*") && (depth == 0 || l.dialect != DialectMySQL):
			depth++
			l.take(2)
		case strings.HasPrefix(l.rest, "*/"):
			l.take(2)
			if depth--; depth == 0 {
				return
			}
		default:
			l.take(1)
		}
	}
	l.open = true
}

func (l *lexer) next() token {
	first, size := utf8.DecodeRuneInString(l.rest)
	switch {
	case first == '\'':
		return l.literal(l.escapes.single)
	case first == '"' && l.dialect != DialectPostgreSQL:
		return l.literal(l.escapes.double)
	case first == '"', first == '`':
		return token{text: line(l.quoted(false)), quoted: true}
	case first == '$' && l.dialect != DialectMySQL && l.dollar():
		return token{text: hidden, value: true, quoted: true}
	case first == '$' && len(l.rest) > 1 && isDigit(l.rest[1]), isDigit(l.rest[0]), first == '.' && len(l.rest) > 1 && isDigit(l.rest[1]):
		l.number()
		return token{text: hidden, value: true}
	case first == '?' && (len(l.rest) == 1 || !strings.ContainsRune("|&-?", rune(l.rest[1]))):
		l.take(1)
		return token{text: hidden, value: true}
	case letter(first):
		return l.word()
	case first == utf8.RuneError && size == 1:
		l.take(1)
		return token{text: "\uFFFD"}
	}
	return token{text: l.take(size)}
}

// literal is a value in quotes.
func (l *lexer) literal(escapes bool) token {
	l.quoted(escapes)
	return token{text: hidden, value: true, quoted: true}
}

// word is a name or a keyword, or the prefix of a string such as E'...', X'...', N'...',
// U&'...', _utf8'...' or q'[...]'.
func (l *lexer) word() token {
	end := strings.IndexFunc(l.rest, func(r rune) bool { return !letter(r) && !unicode.IsDigit(r) && r != '$' })
	if end < 0 {
		end = len(l.rest)
	}
	word := l.take(end)
	if strings.EqualFold(word, "u") && strings.HasPrefix(l.rest, "&'") {
		l.take(1)
	}
	switch lower := strings.ToLower(word); {
	case !strings.HasPrefix(l.rest, "'"):
		return token{text: word}
	case lower == "q", lower == "nq":
		l.oracle()
		return token{text: hidden, value: true, quoted: true}
	default:
		return l.literal(lower == "e" || l.escapes.single)
	}
}

// oracle cuts off a string of Oracle's in quotes of its own, '[...]' or '!...!'.
func (l *lexer) oracle() {
	l.take(1)
	first, size := utf8.DecodeRuneInString(l.rest)
	l.take(size)
	last := string(first)
	if i := strings.IndexRune("[{(<", first); i >= 0 {
		last = "]})>"[i : i+1]
	}
	end := strings.Index(l.rest, last+"'")
	if end < 0 {
		l.open, end = true, len(l.rest)
	}
	l.take(end + len(last) + 1)
}

// quoted cuts off what is between quotes of the next kind, or all to the end. Doubled quotes
// stand for one, and with escapes a backslash for whatever follows it.
func (l *lexer) quoted(escapes bool) string {
	quote := l.rest[0]
	for i := 1; i < len(l.rest); i++ {
		switch c := l.rest[i]; {
		case c == '\\' && escapes:
			i++
		case c != quote:
		case i+1 < len(l.rest) && l.rest[i+1] == quote:
			i++
		default:
			return l.take(i + 1)
		}
	}
	l.open = true
	return l.take(len(l.rest))
}

// dollar cuts off a string in dollar quotes, $tag$...$tag$, if there is one.
func (l *lexer) dollar() bool {
	end := 1 + strings.IndexByte(l.rest[1:], '$')
	if end < 1 {
		return false
	}
	for i, r := range l.rest[1:end] {
		if !letter(r) && (i == 0 || !unicode.IsDigit(r)) {
			return false
		}
	}
	tag := l.take(end + 1)
	closing := strings.Index(l.rest, tag)
	if closing < 0 {
		l.open, closing = true, len(l.rest)
	}
	l.take(closing + len(tag))
	return true
}

// number cuts off a number, or a parameter such as $1, and whatever sticks to it.
func (l *lexer) number() {
	l.take(1)
	for l.rest != "" {
		c := l.rest[0]
		if !isDigit(c) && c != '.' && c != '_' && (c|0x20 < 'a' || c|0x20 > 'z') {
			return
		}
		l.take(1)
		if c|0x20 == 'e' && len(l.rest) > 1 && (l.rest[0] == '+' || l.rest[0] == '-') && isDigit(l.rest[1]) {
			l.take(2)
		}
	}
}

// line is a name on one line.
func line(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(name, "\uFFFD"))
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func letter(r rune) bool {
	return r == '_' || r != utf8.RuneError && unicode.IsLetter(r)
}
