package push

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// kilobyte is a record, four of which fill a segment of a queue of 64 KiB.
func kilobyte() record { return record{timeMs: 7, samples: 1, payload: make([]byte, 1000)} }

// overtakenQueue has a backlog of three records, and four that overtake it.
func overtakenQueue(t *testing.T) *queue {
	q := testQueue(t, t.TempDir(), func(o *queueOptions) { o.maxBytes = 64 << 10 })
	require.Equal(t, 3, kilobytes(q, 3))
	q.marks = nil
	q.overtake()
	require.Equal(t, 4, kilobytes(q, 4))
	return q
}

// giveUp appends until all before an offset is given up.
func giveUp(t *testing.T, q *queue, before uint64) {
	t.Helper()
	for q.segments[0].base < before {
		require.NoError(t, q.append(kilobyte()))
	}
}

// assertInOrder checks the order of a queue's offsets, as queue and overtaking have it.
func assertInOrder(t *testing.T, q *queue) {
	t.Helper()
	assert.IsNonDecreasing(t, []uint64{q.segments[0].base, q.ack, q.read, q.fresh.base, q.fresh.read, q.write})
}

// A batch comes back after its file was given up: there is nothing to hand out again of it, and
// what overtook it stays what it is.
func TestABatchMayComeBackWhenItsFileIsGone(t *testing.T) {
	q := overtakenQueue(t)
	_, start, _, ok, err := q.next(false)
	require.NoError(t, err)
	require.True(t, ok)
	_, freshStart, freshEnd, ok, err := q.next(true)
	require.NoError(t, err)
	require.True(t, ok)
	giveUp(t, q, freshEnd)
	assertInOrder(t, q)
	q.stepBack(start, false)
	q.stepBack(freshStart, true)
	assertInOrder(t, q)
	_, _, _, ok, err = q.next(false)
	require.NoError(t, err)
	assert.False(t, ok, "the backlog is gone")
	q.rewind()
	assertInOrder(t, q)
	assert.False(t, q.overtakes())
	left := q.stats().samples
	assert.Len(t, take(t, q), left)
}

// meanwhile does something while a file is read.
type meanwhile struct {
	*os.File
	do func()
}

func (m meanwhile) ReadAt(p []byte, off int64) (int, error) {
	m.do()
	return m.File.ReadAt(p, off)
}

// What is given up as it is read is counted as lost, and so not handed out.
func TestWhatIsGivenUpWhileItIsReadIsNotHandedOut(t *testing.T) {
	for name, fresh := range map[string]bool{"backlog": false, "fresh": true} {
		t.Run(name, func(t *testing.T) {
			q := testQueue(t, t.TempDir(), func(o *queueOptions) { o.maxBytes = 64 << 10 })
			if fresh {
				q.overtake()
			}
			require.NoError(t, q.append(kilobyte()))
			q.opts.openRead = func(path string) (readFile, error) {
				f, err := os.Open(path)
				return meanwhile{f, func() { giveUp(t, q, 1) }}, err
			}
			_, start, _, ok, err := q.next(fresh)
			require.NoError(t, err)
			require.True(t, ok)
			assert.Equal(t, q.segments[0].base, start, "the oldest that is left")
		})
	}
}

// A file that was given up and could not be deleted is not delivered by the next process.
func TestWhatIsGivenUpDoesNotComeBack(t *testing.T) {
	dir := t.TempDir()
	q := testQueue(t, dir, func(o *queueOptions) { o.maxBytes = 64 << 10 })
	require.NoError(t, q.append(kilobyte()))
	first := q.segments[0].path
	require.NoError(t, os.Link(first, first+".kept"))
	giveUp(t, q, 1)
	left := q.stats().samples
	require.NoError(t, q.close())
	require.NoError(t, os.Rename(first+".kept", first))
	assert.Equal(t, left, testQueue(t, dir).stats().samples)
}
