package report

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEscape(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		assert.Equal(t, want, escape(in))
	}
	f("39.2 MiB (78.1 % of it)", "39.2 MiB (78.1 % of it)")
	f("a|b*c_d<e>&[f](g)", `a\|b\*c\_d\<e\>\&\[f\](g)`)
	f("`x` \\", "\\`x\\` \\\\")
	f("AbstractJdbc2Statement$1", "AbstractJdbc2Statement$1")
	f("$x$ and $y", `\$x$ and \$y`)
	f("1. not a list", `1\. not a list`)
	f("- nor this", `\- nor this`)
	f("# nor a title", `\# nor a title`)
	f("by @admin, see #12", "by @\u2060admin, see #\u206012")
	f("java.util.TimerThread @ 0x7f", "java.util.TimerThread @ 0x7f")
}

func TestCode(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		assert.Equal(t, want, code(in))
	}
	f("", "")
	f("byte[]", "`byte[]`")
	f("a`b", "``a`b``")
	f("`a", "`` `a ``")
	f("a|b", "`a¦b`")
}

// A hostile name adds no line and no cell to a ticket.
func TestMarkdownOfHostileNames(t *testing.T) {
	shape := func(r *Report) (lines int, cells []int) {
		var b bytes.Buffer
		require.NoError(t, Markdown(&b, r))
		text := strings.ReplaceAll(b.String(), `\|`, "")
		for line := range strings.Lines(text) {
			lines++
			if strings.HasPrefix(line, "|") {
				cells = append(cells, strings.Count(line, "|"))
			}
		}
		return lines, cells
	}
	seedLines, seedCells := shape(seedReport())
	hostile := rewritten(seedReport(), func(s string) string { return "x\n\n# Owned\n| a | b |\n`" + s })
	hostile.Findings[0].Severity = seedReport().Findings[0].Severity
	lines, cells := shape(hostile)
	assert.Equal(t, seedLines+4, lines, "the other finding has an advice now, and what would refute it")
	assert.Equal(t, seedCells, cells)
}
