package report

import (
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"
)

// units stay on the line of their number.
const units = " B KiB MiB GiB TiB PiB EiB % ms s min h d "

// wrap breaks s into lines of at most width columns, at spaces; a longer word is
// broken where it must be. Colour codes take no room. There is at least one line.
func wrap(s string, width int) []string {
	var lines []string
	line, used := "", 0
	for _, word := range words(s) {
		size := text.StringWidthWithoutEscSequences(word)
		if used > 0 && used+1+size > width {
			lines = append(lines, line)
			line, used = "", 0
		}
		if used > 0 {
			line, used = line+" ", used+1
		}
		if size > width && !strings.Contains(word, "\x1b") {
			cut := strings.Split(text.WrapHard(word, width), "\n")
			lines = append(lines, cut[:len(cut)-1]...)
			word = cut[len(cut)-1]
			size = text.StringWidth(word)
		}
		line, used = line+word, used+size
	}
	return append(lines, line)
}

// words splits s at spaces, but not between a number and its unit.
func words(s string) []string {
	var list []string
	for _, word := range strings.Fields(s) {
		bare := strings.TrimRight(word, ".,;:)")
		if last := len(list) - 1; last >= 0 && bare != "" && strings.Contains(units, " "+bare+" ") && endsInDigit(list[last]) {
			list[last] += " " + word
			continue
		}
		list = append(list, word)
	}
	return list
}

// endsInDigit tells a number from a word.
func endsInDigit(s string) bool {
	return s != "" && s[len(s)-1] >= '0' && s[len(s)-1] <= '9'
}
