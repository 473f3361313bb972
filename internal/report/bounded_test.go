package report

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestShorten(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		assert.Equal(t, want, shorten(in, 4))
	}
	f("", "")
	f("abcd", "abcd")
	f("abcde", "abc…")
	f("스레드일", "스레드일")
	f("스레드일이", "스레드…")
	f("\xff\xff\xff\xff\xff", "\xff\xff\xff…")
}

// Long strings are cut once, counted, and stay as they are when a report is read back.
func TestStringsAreBounded(t *testing.T) {
	r := seedReport()
	r.Dump.Path = strings.Repeat("ä", 70_000)
	r.Findings[0].Evidence.Facts[0].Value = strings.Repeat("y", 1025)
	var once, twice bytes.Buffer
	require.NoError(t, JSON(&once, r))
	back, err := Read(bytes.NewReader(once.Bytes()))
	require.NoError(t, err)
	assert.Equal(t, maxStringRunes, utf8.RuneCountInString(back.Dump.Path))
	assert.Equal(t, int64(2), back.Limits.StringsCut)
	assert.Equal(t, maxStringRunes, back.Limits.StringCharacters)
	require.NoError(t, JSON(&twice, back))
	assert.Equal(t, once.String(), twice.String())

	var text, again bytes.Buffer
	require.NoError(t, Text(&text, r, TextOptions{}))
	require.NoError(t, Text(&again, back, TextOptions{}))
	assert.Equal(t, text.String(), again.String(), "the same from the dump and from its report")
}
