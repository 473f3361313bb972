package hprof

import (
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
)

func TestText(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		assert.Equal(t, want, text([]byte(in)))
	}
	f("", "")
	f("java/lang/Object", "java/lang/Object")
	f("é中", "é中")
	f("𠮷", "𠮷")
	f("a\xED\xA1\x82\xED\xBE\xB7b", "a𠮷b")
	f("\xC0\x80", "\x00")
	f("\xED\xA1\x82", "\uFFFD\uFFFD\uFFFD")
	f("\xED\xA1\x82x", "\uFFFD\uFFFD\uFFFDx")
	f("\xED\xBE\xB7\xED\xA1\x82", "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD")
	f("\xFFx\xC0", "\uFFFDx\uFFFD")
	f("\xEF\xBF\xBD\xFF", "\uFFFD\uFFFD")
}

func FuzzText(f *testing.F) {
	f.Add([]byte("a\xED\xA1\x82\xED\xBE\xB7b"))
	f.Add([]byte("\xC0\x80\xED\xA1"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := text(b)
		assert.True(t, utf8.ValidString(s))
		assert.LessOrEqual(t, len(s), 3*len(b))
	})
}
