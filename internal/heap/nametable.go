package heap

import "iter"

// nameTable maps names to the classes that bear them.
type nameTable struct {
	firsts map[string]ClassID // the lowest of each name
	// next is the next higher class of the same name, by ClassID, NoClass for none. It ends behind
	// the last class that has any.
	next []ClassID
}

// newNameTable returns that of classes with at most so many names.
func newNameTable(classes []Class, names int) nameTable {
	t := nameTable{make(map[string]ClassID, min(names, len(classes))), make([]ClassID, len(classes))}
	for c := ClassID(len(classes)); c > 0; {
		c--
		t.next[c] = t.first(classes[c].Name)
		t.add(classes[c].Name, c)
	}
	return t
}

// add has c be the first class of its name.
func (t *nameTable) add(name string, c ClassID) { t.firsts[name] = c }

// first returns the first class of that name, NoClass for none.
func (t *nameTable) first(name string) ClassID {
	if c, ok := t.firsts[name]; ok {
		return c
	}
	return NoClass
}

// all yields the classes of that name in the order of their numbers.
func (t *nameTable) all(name string) iter.Seq[ClassID] {
	return func(yield func(ClassID) bool) {
		for c := t.first(name); c != NoClass && yield(c); {
			if int(c) >= len(t.next) {
				return
			}
			c = t.next[c]
		}
	}
}
