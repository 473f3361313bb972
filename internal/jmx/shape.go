package jmx

import (
	"bytes"
	"hash/maphash"
	"slices"
	"sync"
	"time"
	"unsafe"

	"github.com/valyala/fastjson"
)

// A poll of a JVM is answered like the poll before, but for the numbers, and so are
// those of all JVMs of its kind. Such an answer needs no parsing: what is between the
// numbers is compared with an answer that was parsed, and the numbers are put into
// its values. Whatever differs, if only by a null that became an object, is parsed.

const (
	// maxShapes bounds the kinds of answers that are kept, maxShapeBytes and
	// maxShapeValues what is in each, maxFreeTrees its copies at rest.
	maxShapes      = 64
	maxShapeBytes  = 32 << 10
	maxShapeValues = 4000
	maxFreeTrees   = 2
	// shapeRest is how long a shape must be out of use to make room for another.
	shapeRest = 10 * time.Minute
)

// shapes are those of a program's answers. Safe for concurrent use.
type shapes struct {
	seed maphash.Seed

	mu sync.RWMutex
	// all are they by the hash of what is between their numbers.
	all map[uint64]*shape
}

func newShapes() *shapes { return &shapes{seed: maphash.MakeSeed(), all: map[uint64]*shape{}} }

// shape is an answer that was parsed. Its text and numbers never change.
type shape struct {
	text []byte
	// numbers are where they stand in text, in order.
	numbers []span

	mu sync.Mutex
	// used is when an answer last had it.
	used time.Time
	// free are parsed copies of the text that nobody uses.
	free []*shapeTree
}

// span is a part of a text.
type span struct{ from, to int }

// shapeTree is a parsed copy of a shape's text, for one user at a time.
type shapeTree struct {
	parser fastjson.Parser
	root   *fastjson.Value
	// numbers are the values of the shape's numbers, values counts all.
	numbers []*fastjson.Value
	values  int
	arena   fastjson.Arena
	spans   []span
}

// newShape is the shape of an answer with its numbers; nil if it is of no use.
func newShape(answer []byte, numbers []span) *shape {
	s := &shape{text: bytes.Clone(answer), numbers: slices.Clone(numbers)}
	tree := s.parse()
	if tree == nil || tree.values > maxShapeValues || len(tree.numbers) != len(s.numbers) {
		return nil
	}
	for i, n := range tree.numbers {
		if string(n.MarshalTo(nil)) != string(s.text[s.numbers[i].from:s.numbers[i].to]) {
			return nil
		}
	}
	s.free = []*shapeTree{tree}
	return s
}

// parse makes a tree of the text; nil if it is no JSON.
func (s *shape) parse() *shapeTree {
	t := &shapeTree{}
	var err error
	if t.root, err = t.parser.ParseBytes(s.text); err != nil {
		return nil
	}
	t.collect(t.root)
	return t
}

// collect finds the numbers in the order of the text, and counts.
func (t *shapeTree) collect(v *fastjson.Value) {
	t.values++
	switch v.Type() {
	case fastjson.TypeNumber:
		t.numbers = append(t.numbers, v)
	case fastjson.TypeArray:
		for _, e := range v.GetArray() {
			t.collect(e)
		}
	case fastjson.TypeObject:
		v.GetObject().Visit(func(_ []byte, e *fastjson.Value) { t.collect(e) })
	}
}

// take gives a tree with the values of an answer, or nil if it has another shape.
// The tree is valid as long as the answer is, until it is given back.
func (s *shape) take(answer []byte, now time.Time) *shapeTree {
	s.mu.Lock()
	var t *shapeTree
	if n := len(s.free); n > 0 {
		t, s.free = s.free[n-1], s.free[:n-1]
	}
	s.mu.Unlock()
	if t == nil {
		t = s.parse()
	}
	if !t.fill(s, answer) {
		s.giveBack(t)
		return nil
	}
	s.mu.Lock()
	s.used = now
	s.mu.Unlock()
	return t
}

func (s *shape) giveBack(t *shapeTree) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.free) < maxFreeTrees {
		s.free = append(s.free, t)
	}
}

// fill puts the numbers of an answer into the tree, or none if it has another shape.
func (t *shapeTree) fill(s *shape, answer []byte) bool {
	t.spans = t.spans[:0]
	at, known := 0, 0
	for _, n := range s.numbers {
		between := s.text[known:n.from]
		if !bytes.HasPrefix(answer[at:], between) {
			return false
		}
		from := at + len(between)
		to := numberEnd(answer, from)
		if to == from {
			return false
		}
		t.spans = append(t.spans, span{from, to})
		at, known = to, n.to
	}
	if !bytes.Equal(answer[at:], s.text[known:]) {
		return false
	}
	t.arena.Reset()
	for i, n := range t.spans {
		*t.numbers[i] = *t.arena.NewNumberString(unsafe.String(&answer[n.from], n.to-n.from))
	}
	return true
}

// numbersIn finds the numbers of a JSON text.
func numbersIn(text []byte) []span {
	var found []span
	for i := 0; i < len(text); {
		switch {
		case text[i] == '"':
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
			i++
		case numberEnd(text, i) > i:
			end := numberEnd(text, i)
			found = append(found, span{i, end})
			i = end
		default:
			i++
		}
	}
	return found
}

// numberEnd is the end of the number that begins at i, or i if none does. What a
// number is made of, the parser sees as this does.
func numberEnd(text []byte, i int) int {
	end := i
	for end < len(text) && isNumeric(text[end]) {
		end++
	}
	digit := i
	if i < end && text[i] == '-' {
		digit++
	}
	if digit >= end || text[digit] < '0' || text[digit] > '9' {
		return i
	}
	return end
}

func isNumeric(b byte) bool {
	return b >= '0' && b <= '9' || b == '.' || b == '-' || b == '+' || b == 'e' || b == 'E'
}

// find gives the shape of an answer with a tree of its values, nil if it has none. The
// one that hint says, which may be nil, is tried first; what is new is learned.
func (s *shapes) find(answer []byte, hint *shape, now time.Time) (*shape, *shapeTree) {
	if hint != nil {
		if t := hint.take(answer, now); t != nil {
			return hint, t
		}
	}
	if len(answer) > maxShapeBytes {
		return nil, nil
	}
	numbers := numbersIn(answer)
	hash := s.hash(answer, numbers)
	s.mu.RLock()
	known := s.all[hash]
	s.mu.RUnlock()
	if known == nil {
		known = s.learn(answer, numbers, hash, now)
	}
	if known == nil {
		return nil, nil
	}
	return known, known.take(answer, now)
}

// hash is one of what is between the numbers of an answer.
func (s *shapes) hash(answer []byte, numbers []span) uint64 {
	var h maphash.Hash
	h.SetSeed(s.seed)
	from := 0
	for _, n := range numbers {
		_, _ = h.Write(answer[from:n.from])
		_ = h.WriteByte(0) // two texts are not one
		from = n.to
	}
	_, _ = h.Write(answer[from:])
	return h.Sum64()
}

// learn keeps the shape of an answer; nil if it does not. Where there are too many,
// the one that was not used for longest goes, unless all are in use.
func (s *shapes) learn(answer []byte, numbers []span, hash uint64, now time.Time) *shape {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.all[hash]; known != nil { // another has learned it meanwhile
		return known
	}
	if !s.makeRoom(now) {
		return nil
	}
	fresh := newShape(answer, numbers)
	if fresh != nil {
		fresh.used = now
		s.all[hash] = fresh
	}
	return fresh
}

// makeRoom tells whether there is room for another shape, after dropping one that is
// out of use if need be.
func (s *shapes) makeRoom(now time.Time) bool {
	if len(s.all) < maxShapes {
		return true
	}
	var unused uint64
	found, oldest := false, now.Add(-shapeRest)
	for hash, known := range s.all {
		if used := known.lastUse(); used.Before(oldest) {
			unused, found, oldest = hash, true, used
		}
	}
	if found {
		delete(s.all, unused)
	}
	return found
}

func (s *shape) lastUse() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used
}
