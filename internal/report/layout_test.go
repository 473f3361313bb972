package report

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestShortClass(t *testing.T) {
	f := func(name string, width int, want string) {
		t.Helper()
		assert.Equal(t, want, shortClass(name, width))
	}
	f("java.lang.String", 16, "java.lang.String")
	f("java.lang.String", 15, "j.lang.String")
	f("java.lang.String", 12, "j.l.String")
	f("java.lang.String", 6, "…tring")
	f("byte[]", 4, "…e[]")
	f("한.글.클래스", 8, "….클래스")
	f("", 1, "")
}

func TestWrap(t *testing.T) {
	f := func(in string, width int, want ...string) {
		t.Helper()
		assert.Equal(t, want, wrap(in, width))
	}
	f("", 10, "")
	f("one two three", 7, "one two", "three")
	f("they hold 19.6 MiB, no more", 14, "they hold", "19.6 MiB, no", "more")
	f("a averyverylongword b", 6, "a", "averyv", "erylon", "gword", "b")
	f("\x1b[1mbold\x1b[0m word", 9, "\x1b[1mbold\x1b[0m word")
	f("한글 한글", 5, "한글", "한글")
}

var colour = regexp.MustCompile("\x1b\\[[0-9;]*m")

func TestTextFitsTheTerminal(t *testing.T) {
	for _, build := range []func() *Report{seedReport, truncatedReport, histogramReport} {
		for _, width := range []int{60, 80, 100, 140} {
			var got bytes.Buffer
			require.NoError(t, Text(&got, build(), TextOptions{Width: width, Color: true}))
			for line := range strings.SplitSeq(got.String(), "\n") {
				assert.LessOrEqual(t, text.StringWidth(colour.ReplaceAllString(line, "")), width, "%q", line)
			}
		}
	}
}

func TestColourIsNotTheOnlySignal(t *testing.T) {
	var plain, coloured bytes.Buffer
	require.NoError(t, Text(&plain, seedReport(), TextOptions{Width: 80}))
	require.NoError(t, Text(&coloured, seedReport(), TextOptions{Width: 80, Color: true}))
	assert.NotEqual(t, plain.String(), coloured.String())
	assert.Equal(t, plain.String(), colour.ReplaceAllString(coloured.String(), ""))
	assert.Contains(t, plain.String(), "[CRITICAL]")
}

func TestVerdictIsOneScreen(t *testing.T) {
	var got bytes.Buffer
	require.NoError(t, Verdict(&got, seedReport(), TextOptions{Width: 100}))
	assert.LessOrEqual(t, strings.Count(got.String(), "\n"), 40)
}

func TestPipedTextKeepsWholeNames(t *testing.T) {
	var got bytes.Buffer
	require.NoError(t, Text(&got, seedReport(), TextOptions{}))
	assert.NotContains(t, got.String(), "o.p.jdbc3g")
}

func TestBar(t *testing.T) {
	assert.Empty(t, bar(0, 10, 4))
	assert.Empty(t, bar(1, 0, 4))
	assert.Equal(t, "█", bar(1, 1_000_000, 4))
	assert.Equal(t, "██", bar(1, 2, 4))
	assert.Equal(t, "████", bar(20, 10, 4))
}

func TestDue(t *testing.T) {
	assert.Equal(t, "2026-01-01T00:50:00Z, 50 min after the dump", due("2026-01-01T00:50:00Z", "2026-01-01T00:00:00Z"))
	assert.Equal(t, "2026-01-01T00:00:00Z, 50 min before the dump", due("2026-01-01T00:00:00Z", "2026-01-01T00:50:00Z"))
	assert.Equal(t, "2026-01-01T00:00:00Z, 0 ms after the dump", due("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"))
	assert.Equal(t, "2026-01-01T00:00:00Z", due("2026-01-01T00:00:00Z", ""))
	assert.Equal(t, "soon", due("soon", "2026-01-01T00:00:00Z"))
}
