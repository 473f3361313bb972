package jmx

import (
	"bytes"
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/valyala/fastjson"
)

// A poll of a JVM is answered like the poll before, but for the numbers, and so are
// those of all JVMs of its kind. Such an answer needs no parsing: what is between the
// numbers is compared with an answer that was parsed, and its values are read with the
// numbers of the new one. Whatever differs, if only by a null that became an object, is parsed.

const (
	// maxShapes bounds the kinds of answers that are kept, maxShapeBytes and
	// maxShapeValues what is in each.
	maxShapes      = 64
	maxShapeBytes  = 32 << 10
	maxShapeValues = 4000
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

// shape is an answer that was parsed. All but used never changes, and many read it at
// once.
type shape struct {
	text []byte
	// numbers are where they stand in text, in order.
	numbers []span
	// root is the parsed text, with the place in numbers instead of each number.
	root *fastjson.Value
	// used is when an answer last had it, in seconds since the Unix epoch.
	used atomic.Int64
}

// span is a part of a text.
type span struct{ from, to int }

// figures are the numbers of an answer, in the order of those of its shape.
type figures struct {
	answer []byte
	at     []span
	// replies is memory for those that the numbers are in.
	replies []reply
}

// of is the number whose place is in a value of the shape, valid as long as the answer.
func (f *figures) of(place *fastjson.Value) string {
	at := f.at[place.GetInt()]
	return unsafe.String(&f.answer[at.from], at.to-at.from)
}

// newShape is the shape of an answer with its numbers; nil if it is of no use.
func newShape(answer []byte, numbers []span) *shape {
	s := &shape{text: bytes.Clone(answer), numbers: slices.Clone(numbers)}
	var parser fastjson.Parser
	root, err := parser.ParseBytes(s.text)
	if err != nil {
		return nil
	}
	found, values := settle(root, nil, 0)
	if values > maxShapeValues || len(found) != len(s.numbers) || hasNumberText(root) {
		return nil
	}
	var arena fastjson.Arena
	for i, n := range found {
		if string(n.MarshalTo(nil)) != string(s.text[s.numbers[i].from:s.numbers[i].to]) {
			return nil
		}
		*n = *arena.NewNumberInt(i)
	}
	s.root = root
	return s
}

// settle finds the numbers in the order of the text, and counts the values. Having seen
// all of them it leaves nothing for later that fastjson does when it is first asked, so
// that many may ask at once.
func settle(v *fastjson.Value, numbers []*fastjson.Value, values int) ([]*fastjson.Value, int) {
	values++
	switch v.Type() {
	case fastjson.TypeNumber:
		numbers = append(numbers, v)
	case fastjson.TypeArray:
		for _, e := range v.GetArray() {
			numbers, values = settle(e, numbers, values)
		}
	case fastjson.TypeObject:
		v.GetObject().Visit(func(_ []byte, e *fastjson.Value) { numbers, values = settle(e, numbers, values) })
	}
	return numbers, values
}

// hasNumberText tells whether there is a number as a string, which differs from answer to
// answer: a shape with it is of use for one of them.
func hasNumberText(v *fastjson.Value) bool {
	found := false
	switch v.Type() {
	case fastjson.TypeString:
		_, found = value{json: v}.int64()
	case fastjson.TypeArray:
		found = slices.ContainsFunc(v.GetArray(), hasNumberText)
	case fastjson.TypeObject:
		v.GetObject().Visit(func(_ []byte, e *fastjson.Value) { found = found || hasNumberText(e) })
	}
	return found
}

// fill finds the numbers of an answer; false if it has another shape.
func (s *shape) fill(f *figures, answer []byte, now time.Time) bool {
	f.answer, f.at = answer, f.at[:0]
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
		f.at = append(f.at, span{from, to})
		at, known = to, n.to
	}
	if !bytes.Equal(answer[at:], s.text[known:]) {
		return false
	}
	s.used.Store(now.Unix())
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

// find gives the shape of an answer, whose numbers it puts into f; nil if it has none. The
// one that hint says, which may be nil, is tried first; what is new is learned.
func (s *shapes) find(f *figures, answer []byte, hint *shape, now time.Time) *shape {
	if hint != nil && hint.fill(f, answer, now) {
		return hint
	}
	if len(answer) > maxShapeBytes {
		return nil
	}
	numbers := numbersIn(answer)
	hash := s.hash(answer, numbers)
	s.mu.RLock()
	known := s.all[hash]
	s.mu.RUnlock()
	if known == nil {
		known = s.learn(answer, numbers, hash, now)
	}
	if known == nil || !known.fill(f, answer, now) {
		return nil
	}
	return known
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
		fresh.used.Store(now.Unix())
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
	found, oldest := false, now.Add(-shapeRest).Unix()
	for hash, known := range s.all {
		if used := known.used.Load(); used < oldest {
			unused, found, oldest = hash, true, used
		}
	}
	if found {
		delete(s.all, unused)
	}
	return found
}
