package jmx

import (
	"bytes"
	"io"
	"sync"
	"time"

	"github.com/valyala/fastjson"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// Buffers are what clients share: the questions, and the memory in which answers are
// taken apart, for a thousand targets are not answered all at once, and their answers
// are alike. Safe for concurrent use.
type Buffers struct {
	fast *plan[jvm.Snapshot]
	slow *plan[jvm.Details]
	// answers hold *answer, readers *bufio.Reader, requests *bytes.Buffer.
	answers, readers, requests sync.Pool
	shapes                     *shapes
}

// NewBuffers are empty ones.
func NewBuffers() *Buffers {
	return &Buffers{fast: newPlan(fastTier()), slow: newPlan(slowTier()), shapes: newShapes()}
}

// answer is where one answer is read and taken apart. The values in it are valid
// until it is freed.
type answer struct {
	buffers *Buffers
	body    bytes.Buffer
	parser  fastjson.Parser
	// shape is whose tree is in use; both are nil where the parser is.
	shape *shape
	tree  *shapeTree
}

// maxKeptBytes bounds the answers whose memory is used again.
const maxKeptBytes = 256 << 10

// answer is an empty one, to be freed.
func (b *Buffers) answer() *answer {
	a, ok := b.answers.Get().(*answer)
	if !ok {
		a = &answer{buffers: b}
	}
	return a
}

func (a *answer) free() {
	if a.tree != nil {
		a.shape.giveBack(a.tree)
	}
	a.shape, a.tree = nil, nil
	if a.body.Cap() > maxKeptBytes {
		return // with what it was parsed into; the next one is smaller
	}
	a.body.Reset()
	a.buffers.answers.Put(a)
}

// read reads a body to its end and closes it.
func (a *answer) read(body io.ReadCloser) error {
	defer body.Close()
	n, err := a.body.ReadFrom(io.LimitReader(body, maxAnswerBytes+1))
	if err == nil && n > maxAnswerBytes {
		err = errTooLarge
	}
	return err
}

// replies are those to a bulk of n items.
func (a *answer) replies(n int) ([]reply, error) {
	return parseBulk(&a.parser, a.body.Bytes(), n)
}

// alike are the replies to a bulk that is answered nearly the same again and again,
// last time by the shape in hint, which it keeps.
func (a *answer) alike(n int, hint **shape) ([]reply, error) {
	if a.shape, a.tree = a.buffers.shapes.find(a.body.Bytes(), *hint, time.Now()); a.tree == nil {
		return a.replies(n)
	}
	*hint = a.shape
	return bulkReplies(a.tree.root, n)
}
