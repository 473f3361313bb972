package heap

import (
	"iter"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
)

// texts are the dump's texts by their ids. Each is read once, and is there once: a hostile
// dump may name the same long one in each of a million records.
type texts struct {
	outline *hprof.Outline
	numbers numbers
	known   []string // by number: as it is
	java    []string // by number: as Java source writes it, where it has been asked for
}

func newTexts(o *hprof.Outline) texts { return texts{outline: o} }

// read has texts read that are going to be asked for, all at once.
func (t *texts) read(ids iter.Seq[uint64]) {
	for id := range ids {
		if _, fresh := t.numbers.of(id); fresh {
			t.add("")
		}
	}
	unread := func(id uint64) bool { // of several texts of an id the first counts
		n, ok := t.numbers.get(id)
		return ok && t.known[n] == ""
	}
	for id, s := range t.outline.Names(unread) {
		t.known[t.number(id)] = s
	}
}

func (t *texts) add(s string) {
	t.known, t.java = append(t.known, s), append(t.java, "")
}

// number returns the number of the text.
func (t *texts) number(id uint64) int {
	if n, ok := t.numbers.get(id); ok {
		return n
	}
	t.numbers.of(id)
	t.add(t.outline.Name(id))
	return len(t.known) - 1
}

// of returns the text as it is, "" if there is none. Texts that were read may be asked for by
// several goroutines at once.
func (t *texts) of(id uint64) string { return t.known[t.number(id)] }

// class returns the text, the name of a class, as Java source writes it.
func (t *texts) class(id uint64) string {
	n := t.number(id)
	if t.java[n] == "" {
		t.java[n] = javaName(t.known[n])
	}
	return t.java[n]
}
