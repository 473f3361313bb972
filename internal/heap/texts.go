package heap

import "github.com/apm-sidecar/apm-sidecar/internal/hprof"

// texts are the dump's texts by their ids. Each is read once, and is there once: a hostile
// dump may name the same long one in each of a million records.
type texts struct {
	outline        *hprof.Outline
	known, classes map[uint64]string
}

func newTexts(o *hprof.Outline) texts {
	return texts{o, map[uint64]string{}, map[uint64]string{}}
}

// read has texts read that are going to be asked for, all at once.
func (t *texts) read(ids []uint64) { t.known = t.outline.Names(ids) }

// of returns the text as it is, "" if there is none.
func (t *texts) of(id uint64) string {
	s, ok := t.known[id]
	if !ok {
		s = t.outline.Name(id)
		t.known[id] = s
	}
	return s
}

// class returns the text, the name of a class, as Java source writes it.
func (t *texts) class(id uint64) string {
	s, ok := t.classes[id]
	if !ok {
		name, read := t.known[id]
		if !read {
			name = t.outline.Name(id)
		}
		s = javaName(name)
		t.classes[id] = s
	}
	return s
}
