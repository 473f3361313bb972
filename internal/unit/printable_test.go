package unit

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestPrintable(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		assert.Equal(t, want, Printable(in))
	}
	f("", "")
	f("com.acme.Bestellung$Pöstchen", "com.acme.Bestellung$Pöstchen")
	f("스레드-1", "스레드-1")
	f("\x1b[2J\x1b]0;owned\x07", `\x1b[2J\x1b]0;owned\x07`)
	f("one\r\ntwo\tthree", `one\x0d\x0atwo\x09three`)
	f("\u009b31m", `\x9b31m`)
	f("\x7f", `\x7f`)
	f("\xff\xfe", `\xff\xfe`)
	f("a\uFFFDb", `a\ufffdb`)
	f("safe\u202egnp.exe", `safe\u202egnp.exe`)
	f("zero\u200bwidth", `zero\u200bwidth`)
	f("tag\U000E0041", `tag\U000e0041`)
	f("no\u00a0break", `no\xa0break`)
}
