package push

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func testQueue(t *testing.T, dir string, change ...func(*queueOptions)) *queue {
	t.Helper()
	opts := queueOptions{dir: dir, maxBytes: 1 << 20, logger: slog.New(slog.DiscardHandler)}
	for _, f := range change {
		f(&opts)
	}
	q, err := openQueue(opts)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, q.close()) })
	return q
}

// put appends records with the given payloads, one sample each.
func put(t *testing.T, q *queue, payloads ...string) {
	t.Helper()
	for _, p := range payloads {
		require.NoError(t, q.append(record{timeMs: 7, samples: 1, payload: []byte(p)}))
	}
}

// take reads all that is left and notes it as delivered, to be acknowledged at once.
func take(t *testing.T, q *queue) []string {
	t.Helper()
	var out []string
	for {
		r, _, end, ok, err := q.next(false)
		require.NoError(t, err)
		if !ok {
			return out
		}
		out = append(out, string(r.payload))
		q.delivered([]delivery{{end: end, samples: r.samples, timeMs: r.timeMs}}, false)
	}
}

func lastSegment(t *testing.T, dir string) string {
	t.Helper()
	bases, err := listSegments(dir)
	require.NoError(t, err)
	require.NotEmpty(t, bases)
	return segmentPath(dir, bases[len(bases)-1])
}

func TestQueueHandsOutInOrderAndOnceAcknowledgedNeverAgain(t *testing.T) {
	dir := t.TempDir()
	q := testQueue(t, dir)
	put(t, q, "a", "b", "c")
	assert.Equal(t, []string{"a", "b", "c"}, take(t, q))
	assert.True(t, q.ackDue(time.Now()))
	assert.False(t, q.ackDue(time.Now()))
	put(t, q, "d")
	require.NoError(t, q.close())

	assert.Equal(t, []string{"d"}, take(t, testQueue(t, dir)))
}

func TestQueueReplaysWhatIsDeliveredButNotDue(t *testing.T) {
	dir := t.TempDir()
	q := testQueue(t, dir)
	put(t, q, "a", "b")
	now := time.Now()
	for i := range 2 {
		_, _, end, _, err := q.next(false)
		require.NoError(t, err)
		q.delivered([]delivery{{end: end, samples: 1, ackAt: now.Add(time.Duration(i) * time.Minute)}}, false)
	}
	assert.True(t, q.ackDue(now))
	assert.Equal(t, 1, q.stats().samples)
	assert.True(t, q.awaited())
	q.rewind()
	assert.False(t, q.awaited(), "nothing was delivered since")
	assert.Equal(t, []string{"b"}, take(t, q))
	require.NoError(t, q.close())
	assert.Equal(t, []string{"b"}, take(t, testQueue(t, dir)))
}

func TestQueueStepBackKeepsEarlierDeliveries(t *testing.T) {
	q := testQueue(t, t.TempDir())
	put(t, q, "a", "b", "c")
	_, _, end, _, err := q.next(false)
	require.NoError(t, err)
	q.delivered([]delivery{{end: end, samples: 1}}, false)
	_, start, _, _, err := q.next(false)
	require.NoError(t, err)
	q.stepBack(start, false)
	assert.Equal(t, []string{"b", "c"}, take(t, q))
	assert.True(t, q.ackDue(time.Now()))
	assert.Zero(t, q.stats().samples)
	assert.Zero(t, q.stats().bytes)
}

// A process may die at any byte of a write: whatever is cut, the records before
// are there, and later ones are appended behind them.
func TestQueueTornTailAtEveryByte(t *testing.T) {
	whole := t.TempDir()
	q := testQueue(t, whole)
	put(t, q, "first", "second")
	require.NoError(t, q.close())
	text, err := os.ReadFile(lastSegment(t, whole))
	require.NoError(t, err)
	firstLen := headBytes + metaBytes + len("first")
	for cut := 0; cut < len(text); cut++ {
		dir := filepath.Join(t.TempDir(), "q")
		require.NoError(t, os.MkdirAll(dir, 0o700))
		require.NoError(t, os.WriteFile(segmentPath(dir, 0), text[:cut], 0o600))
		var want []string
		if cut >= firstLen {
			want = []string{"first"}
		}
		q := testQueue(t, dir)
		info, err := os.Stat(segmentPath(dir, 0))
		require.NoError(t, err)
		assert.Equal(t, q.segments[0].size, info.Size(), "nothing is left behind the last whole record")
		assert.Zero(t, q.stats().dropped, "what was being written was never accepted")
		put(t, q, "third")
		assert.Equal(t, append(want, "third"), take(t, q), "cut at %d", cut)
		require.NoError(t, q.close())
		assert.Equal(t, append(want, "third"), take(t, testQueue(t, dir)), "cut at %d, opened again", cut)
	}
}

func TestQueueZeroedTailIsCut(t *testing.T) {
	dir := t.TempDir()
	q := testQueue(t, dir)
	put(t, q, "a")
	require.NoError(t, q.close())
	f, err := os.OpenFile(lastSegment(t, dir), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.Write(make([]byte, 4096))
	require.NoError(t, errors.Join(err, f.Close()))
	q = testQueue(t, dir)
	put(t, q, "b")
	assert.Equal(t, []string{"a", "b"}, take(t, q))
}

func TestQueueDamagedRecordLosesOnlyItself(t *testing.T) {
	dir := t.TempDir()
	q := testQueue(t, dir)
	put(t, q, "first", "second", "third")
	require.NoError(t, q.close())
	path := lastSegment(t, dir)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	text[bytes.Index(text, []byte("second"))] ^= 1
	require.NoError(t, os.WriteFile(path, text, 0o600))

	q = testQueue(t, dir)
	assert.Equal(t, []string{"first", "third"}, take(t, q))
	q.ackDue(time.Now())
	put(t, q, "fourth")
	require.NoError(t, q.close())
	assert.Equal(t, []string{"fourth"}, take(t, testQueue(t, dir)))
}

func TestQueueBadCursorReplaysEverything(t *testing.T) {
	for name, content := range map[string][]byte{
		"short":           []byte("x"),
		"garbage":         []byte("0123456789abcdef"),
		"too long":        append(appendCursor(nil, 42), 0),
		"wrong checksum":  nil, // of the true one
		"inside a record": appendCursor(nil, 3),
		"behind the end":  appendCursor(nil, 1<<40),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			q := testQueue(t, dir)
			put(t, q, "a", "b")
			take(t, q)
			require.True(t, q.ackDue(time.Now()))
			require.NoError(t, q.close())
			path := filepath.Join(dir, cursorName)
			if content == nil {
				var err error
				content, err = os.ReadFile(path)
				require.NoError(t, err)
				content[len(content)-1]++
			}
			require.NoError(t, os.WriteFile(path, content, 0o600))

			q = testQueue(t, dir)
			assert.Equal(t, 2, q.stats().samples)
			assert.Equal(t, []string{"a", "b"}, take(t, q))
			require.True(t, q.ackDue(time.Now()))
			require.NoError(t, q.close())
			assert.Zero(t, testQueue(t, dir).stats().samples, "the next cursor is a good one")
		})
	}
}

// A folder that was mounted anew, or restored, while the queue was at work knows at the next
// start what was acknowledged since.
func TestQueueRemembersWhatWasAcknowledgedInAFolderThatWasReplaced(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "q")
	q := testQueue(t, dir)
	put(t, q, "a", "b", "c")
	require.NoError(t, os.CopyFS(dir+".copy", os.DirFS(dir)))
	require.NoError(t, os.Rename(dir, dir+".gone"))
	require.NoError(t, os.Rename(dir+".copy", dir))
	assert.Equal(t, []string{"a", "b", "c"}, take(t, q))
	require.True(t, q.ackDue(time.Now()))
	require.NoError(t, q.close())
	assert.Empty(t, take(t, testQueue(t, dir)))
}

// A cursor of another queue lies in the middle of a record sooner or later: the files before it are not
// acknowledged.
func TestQueueACursorOfOtherFilesCostsNone(t *testing.T) {
	dir := t.TempDir()
	q := testQueue(t, dir, func(o *queueOptions) { o.maxBytes = 1 << 20 })
	const n = 100
	for range n {
		require.NoError(t, q.append(record{timeMs: 7, samples: 1, payload: make([]byte, 5000)}))
	}
	last := q.segments[len(q.segments)-1]
	require.NotZero(t, last.base)
	require.NoError(t, q.close())
	require.NoError(t, writeCursor(dir, last.base+7))
	q = testQueue(t, dir)
	assert.Equal(t, n, q.stats().samples)
	assert.Len(t, take(t, q), n)
}

// TestQueueWritesThroughNoLink: a link in place of the queue's files is refused, and what it leads
// to stays as it is.
func TestQueueWritesThroughNoLink(t *testing.T) {
	for _, name := range []string{filepath.Base(segmentPath("", 0)), cursorName} {
		dir, other := t.TempDir(), filepath.Join(t.TempDir(), "other")
		require.NoError(t, os.WriteFile(other, []byte("not ours"), 0o600))
		require.NoError(t, os.Symlink(other, filepath.Join(dir, name)))
		_, err := openQueue(queueOptions{dir: dir, maxBytes: 1 << 20, logger: slog.New(slog.DiscardHandler)})
		require.ErrorContains(t, err, "is a link", name)
		left, err := os.ReadFile(other)
		require.NoError(t, err)
		assert.Equal(t, "not ours", string(left), name)
	}
}

// The cursor may have reached the disk and the acknowledged records not: then new
// ones take their offsets, and must not count as acknowledged.
func TestQueueCursorBehindALostTail(t *testing.T) {
	dir := t.TempDir()
	q := testQueue(t, dir)
	put(t, q, "a", "b")
	take(t, q)
	require.True(t, q.ackDue(time.Now()))
	require.NoError(t, q.close())
	require.NoError(t, os.Truncate(lastSegment(t, dir), 10))

	q = testQueue(t, dir)
	put(t, q, "c", "d") // as long as a and b
	require.NoError(t, q.close())
	assert.Equal(t, []string{"c", "d"}, take(t, testQueue(t, dir)))
}

// A process that is killed as it gives up a file may have deleted it and not moved the cursor.
func TestQueueCursorBeforeTheFirstFile(t *testing.T) {
	dir := t.TempDir()
	q := testQueue(t, dir)
	put(t, q, "a")
	require.NoError(t, q.close())
	require.NoError(t, os.Rename(segmentPath(dir, 0), segmentPath(dir, 1000)))
	q = testQueue(t, dir)
	assert.Equal(t, uint64(headBytes+metaBytes+len("a")), q.stats().bytes)
	assert.Equal(t, []string{"a"}, take(t, q))
}

func TestQueueDropsTheOldestAndCounts(t *testing.T) {
	dir := t.TempDir()
	q := testQueue(t, dir, func(o *queueOptions) { o.maxBytes = 64 << 10 })
	payload := bytes.Repeat([]byte("x"), 1000)
	const n = 200
	for i := range n {
		require.NoError(t, q.append(record{timeMs: int64(i + 1), samples: 1, payload: payload}))
	}
	st := q.stats()
	assert.Positive(t, st.dropped.full)
	assert.Equal(t, n, st.dropped.full+st.samples)
	assert.LessOrEqual(t, st.bytes, uint64(64<<10))
	assert.Equal(t, int64(st.dropped.full+1), q.oldestMs(), "the oldest went, none in between")

	assert.Len(t, take(t, q), st.samples)
	q.ackDue(time.Now())
	assert.Zero(t, q.stats().samples)
	bases, err := listSegments(dir)
	require.NoError(t, err)
	assert.Len(t, bases, 1, "acknowledged segments are removed")
}

func TestQueueDropWhileABatchIsOnItsWay(t *testing.T) {
	q := testQueue(t, t.TempDir(), func(o *queueOptions) { o.maxBytes = 64 << 10 })
	payload := bytes.Repeat([]byte("x"), 1000)
	one := record{timeMs: 1, samples: 1, payload: payload}
	require.NoError(t, q.append(one))
	_, start, end, _, err := q.next(false)
	require.NoError(t, err)
	for range 200 {
		require.NoError(t, q.append(one))
	}
	q.delivered([]delivery{{end: end, samples: 1}}, false)
	assert.False(t, q.ackDue(time.Now()), "it was dropped meanwhile")
	q.stepBack(start, false)
	st := q.stats()
	assert.Len(t, take(t, q), st.samples)
	q.ackDue(time.Now())
	assert.Zero(t, q.stats().samples)
}

func TestQueueRefusesAfterClose(t *testing.T) {
	q := testQueue(t, t.TempDir())
	require.NoError(t, q.close())
	assert.ErrorIs(t, q.append(record{}), ErrClosed)
}

func FuzzQueueOpensWhateverIsInTheFiles(f *testing.F) {
	good := appendRecord(nil, record{timeMs: 1, samples: 1, payload: []byte("a")})
	f.Add(good, appendCursor(nil, 0))
	f.Add(append(good, good[:9]...), appendCursor(nil, uint64(len(good))))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff}, []byte{})
	f.Fuzz(func(t *testing.T, segment, cursor []byte) {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(segmentPath(dir, 0), segment, 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(dir, cursorName), cursor, 0o600))
		q := testQueue(t, dir)
		put(t, q, "mine")
		got := take(t, q)
		assert.Equal(t, "mine", got[len(got)-1])
	})
}

// What was delivered of a file that has been given up since is out of all accounts.
func TestQueueDropsAFileThatWasDelivered(t *testing.T) {
	q := testQueue(t, t.TempDir(), func(o *queueOptions) { o.maxBytes = 64 << 10 })
	one := record{timeMs: 1, samples: 1, payload: make([]byte, 1000)}
	var onTheWay []delivery
	for len(q.segments) == 1 {
		require.NoError(t, q.append(one))
	}
	for at := uint64(0); at < q.segments[1].base; {
		_, _, end, _, err := q.next(false)
		require.NoError(t, err)
		onTheWay, at = append(onTheWay, delivery{end: end, samples: 1}), end
	}
	for q.ack < onTheWay[len(onTheWay)-1].end {
		require.NoError(t, q.append(one))
	}
	require.Equal(t, onTheWay[len(onTheWay)-1].end, q.ack, "that file went, and no other")
	before := q.stats().samples
	q.delivered(onTheWay, false)
	assert.False(t, q.ackDue(time.Now()))
	assert.Equal(t, before, q.stats().samples)
}
