package tx

import (
	"slices"
	"strings"
)

// Dialect says how a database reads what another reads otherwise.
type Dialect string

// The dialects. DialectPostgreSQL is that of all who quote names by "" and nothing else, as
// the standard does. Of others nobody knows whether what is in "" is a name.
const (
	DialectPostgreSQL Dialect = "postgresql"
	DialectMySQL      Dialect = "mysql"
	DialectOther      Dialect = ""
)

const (
	// maxSQLBytes bounds the statements that are read, maxSQLText the texts that are
	// kept.
	maxSQLBytes = 64 << 10
	maxSQLText  = 2000
	// wholeBytes is the length from which a database may have cut a statement off:
	// PostgreSQL's track_activity_query_size is 1024 unless somebody set it.
	wholeBytes = 1000
	// hidden stands for whatever value.
	hidden = "?"
)

// NormaliseSQL is a statement without its values: literals and parameters are "?",
// lists of them one, comments are gone, white space is single blanks. What cannot be
// told from a literal is one; a statement that breaks off in the middle, as databases
// cut them, shows nothing of the literal it breaks off in, and one that can be read in two
// ways nothing from there on. Names and keywords stay as they are.
func NormaliseSQL(text string, d Dialect) string {
	cut := len(text) > maxSQLBytes
	tokens, sure := read(text[:min(len(text), maxSQLBytes)], d)
	cut = cut || !sure
	tokens = fold(tokens)
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

// read are the tokens of a statement, as far as there is one way to read it. Whether a
// backslash escapes what follows it in a string is a setting of the session (MySQL's sql_mode
// NO_BACKSLASH_ESCAPES and ANSI_QUOTES, PostgreSQL's standard_conforming_strings): a way that
// leaves a string open is not the one by which the database took the statement, unless it cut
// it off. Where several are left, what they do not agree on is hidden.
func read(text string, d Dialect) (tokens []token, sure bool) {
	var whole, open [][]token
	for i, e := range escapesOf(d) {
		if i > 0 && !strings.Contains(text, `\`) {
			break // they are all the same
		}
		l := lexer{rest: text, dialect: d, escapes: e}
		if all := l.tokens(); l.open {
			open = append(open, all)
		} else {
			whole = append(whole, all)
		}
	}
	switch {
	case len(text) >= wholeBytes:
		whole = append(whole, open...)
	case len(whole) == 0: // nobody takes such a statement: no quote in it can be trusted
		first := slices.IndexFunc(open[0], func(t token) bool { return t.quoted })
		if first < 0 {
			return open[0], true
		}
		return append(open[0][:first], token{text: hidden, value: true, space: open[0][first].space}), false
	}
	agreed := len(whole[0])
	for _, other := range whole[1:] {
		same := 0
		for same < min(agreed, len(other)) && other[same] == whole[0][same] {
			same++
		}
		agreed = same
	}
	if agreed == len(whole[0]) {
		return whole[0], true
	}
	return append(whole[0][:agreed], token{text: hidden, value: true, space: whole[0][agreed].space}), false
}

// token is a piece of a statement. value says that it stands for a value, quoted that it
// was in quotes, space that white space or a comment went before it. left is how much of the
// statement follows.
type token struct {
	text                 string
	value, quoted, space bool
	left                 int
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
