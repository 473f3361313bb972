package tx

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Dialect says how a database reads what another reads otherwise.
type Dialect string

// The dialects.
const (
	DialectPostgreSQL Dialect = "postgresql"
	DialectMySQL      Dialect = "mysql"
)

const (
	// maxSQLBytes bounds the statements that are read, maxSQLText the texts that are
	// kept.
	maxSQLBytes = 64 << 10
	maxSQLText  = 2000
	// hidden stands for whatever value.
	hidden = "?"
)

// NormaliseSQL is a statement without its values: literals and parameters are "?",
// lists of them one, comments are gone, white space is single blanks. What cannot be
// told from a literal is one; a statement that breaks off in the middle, as databases
// cut them, shows nothing of the literal it breaks off in. Names and keywords stay as
// they are.
func NormaliseSQL(text string, d Dialect) string {
	cut := len(text) > maxSQLBytes
	l := lexer{rest: text[:min(len(text), maxSQLBytes)], dialect: d}
	tokens := fold(l.tokens())
	var b strings.Builder
	for i, t := range tokens {
		if i > 0 && spaced(tokens[i-1], t) {
			b.WriteByte(' ')
		}
		if b.Len()+len(t.text) > maxSQLText {
			cut = true
			break
		}
		b.WriteString(t.text)
	}
	if cut {
		b.WriteString(" ...")
	}
	return strings.TrimSpace(b.String())
}

// token is a piece of a statement. value says that it stands for a value, space that
// white space or a comment went before it.
type token struct {
	text         string
	value, space bool
}

// spaced tells whether there is a blank between two tokens: as in the statement, but
// lists always look the same.
func spaced(before, t token) bool {
	switch {
	case t.text == "," || t.text == ")" || before.text == "(":
		return false
	case before.text == ",":
		return true
	}
	return t.space
}

// fold makes one of each list of values, and of each list of rows of such.
func fold(tokens []token) []token {
	var out []token
	for i := 0; i < len(tokens); i++ {
		out = append(out, tokens[i])
		for n := len(out); n >= 3 && out[n-1].value && out[n-2].text == "," && out[n-3].value; n = len(out) {
			out = out[:n-2]
			out[n-3].text = hidden + ", ..."
		}
		// (?), (?): the second goes.
		for n := len(out); n >= 7 && row(out[n-7:n-4]) && out[n-4].text == "," && row(out[n-3:]); n = len(out) {
			out = out[:n-4]
		}
	}
	return out
}

// row tells a list of values in brackets.
func row(t []token) bool { return t[0].text == "(" && t[1].value && t[2].text == ")" }

// lexer cuts a statement into tokens (PostgreSQL's manual 4.1, MySQL's 9.1 to 9.7).
type lexer struct {
	rest    string
	dialect Dialect
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
		t.space = space
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
}

func (l *lexer) next() token {
	first, size := utf8.DecodeRuneInString(l.rest)
	mysql := l.dialect == DialectMySQL
	switch {
	case first == '\'', first == '"' && mysql:
		l.quoted(byte(first), mysql)
		return token{text: hidden, value: true}
	case first == '"', first == '`':
		return token{text: strings.ToValidUTF8(l.quoted(byte(first), false), "\uFFFD")}
	case first == '$' && !mysql && l.dollar():
		return token{text: hidden, value: true}
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

// word is a name or a keyword, or the prefix of a string such as E'...', X'...', N'...',
// U&'...' or _utf8'...'.
func (l *lexer) word() token {
	end := strings.IndexFunc(l.rest, func(r rune) bool { return !letter(r) && !unicode.IsDigit(r) && r != '$' })
	if end < 0 {
		end = len(l.rest)
	}
	word := l.take(end)
	escapes := strings.EqualFold(word, "e") || l.dialect == DialectMySQL
	if strings.EqualFold(word, "u") && strings.HasPrefix(l.rest, "&'") {
		l.take(1)
	}
	if strings.HasPrefix(l.rest, "'") {
		l.quoted('\'', escapes)
		return token{text: hidden, value: true}
	}
	return token{text: word}
}

// quoted cuts off what is between quotes, or all to the end. Doubled quotes stand for
// one, and with escapes a backslash for whatever follows it.
func (l *lexer) quoted(quote byte, escapes bool) string {
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
		closing = len(l.rest)
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

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func letter(r rune) bool {
	return r == '_' || r != utf8.RuneError && unicode.IsLetter(r)
}
