package push

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Whichever bit of a record is wrong, its length among them, that record is lost and no
// other one, and it is counted.
func TestQueueDamageAtEveryBitLosesOneRecord(t *testing.T) {
	whole := t.TempDir()
	q := testQueue(t, whole)
	put(t, q, "first", "second", "third", "fourth")
	require.NoError(t, q.close())
	text, err := os.ReadFile(lastSegment(t, whole))
	require.NoError(t, err)
	from := headBytes + metaBytes + len("first")
	for bit := from * 8; bit < (from+headBytes+metaBytes+len("second"))*8; bit++ {
		dir := filepath.Join(t.TempDir(), "q")
		require.NoError(t, os.MkdirAll(dir, 0o700))
		text[bit/8] ^= 1 << (bit % 8)
		require.NoError(t, os.WriteFile(segmentPath(dir, 0), text, 0o600))
		text[bit/8] ^= 1 << (bit % 8)

		q := testQueue(t, dir)
		assert.Positive(t, q.stats().dropped.damaged, "bit %d", bit)
		assert.Equal(t, []string{"first", "third", "fourth"}, take(t, q), "bit %d", bit)
		require.NoError(t, q.close())
	}
}

// Only in the last file may a record have been cut while it was written: in the others what
// is damaged at the end is as lost as what is damaged in the middle, and counted.
func TestQueueDamageAtTheEndOfAFileIsCounted(t *testing.T) {
	dir := t.TempDir()
	q := testQueue(t, dir)
	q.opts.maxBytes = 64 << 10
	for range 10 {
		require.NoError(t, q.append(record{timeMs: 7, samples: 3, payload: make([]byte, 1000)}))
	}
	require.Greater(t, len(q.segments), 1)
	path := q.segments[0].path
	require.NoError(t, q.close())
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	text[len(text)-1] ^= 1
	require.NoError(t, os.WriteFile(path, text, 0o600))

	q = testQueue(t, dir)
	assert.Equal(t, 3, q.stats().dropped.damaged)
	assert.Equal(t, 27, q.stats().samples)
	assert.Len(t, take(t, q), 9)
}

// What is found behind garbage may lie across the blocks in which it is looked for.
func TestNextRecordBehindGarbageOfAnyLength(t *testing.T) {
	one := appendRecord(nil, record{timeMs: 7, samples: 1, payload: []byte("payload")})
	path := filepath.Join(t.TempDir(), "segment")
	var buf []byte
	for garbage := 64<<10 - 40; garbage < 64<<10+40; garbage++ {
		text := append(make([]byte, garbage), one...)
		require.NoError(t, os.WriteFile(path, text, 0o600))
		f, err := os.Open(path)
		require.NoError(t, err)
		assert.EqualValues(t, garbage, nextRecord(f, 0, int64(len(text)), &buf))
		assert.EqualValues(t, len(text)-1, nextRecord(f, 0, int64(len(text)-1), &buf), "cut")
		require.NoError(t, f.Close())
	}
}

// A file with a segment's name that lies within another one, a copy put there by hand,
// is left alone: taken for the last segment, it would have the queue go back.
func TestQueueStrangeFileIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	q := testQueue(t, dir)
	put(t, q, "a", "b")
	require.NoError(t, q.close())
	require.NoError(t, os.WriteFile(segmentPath(dir, 5), []byte("something else"), 0o600))

	q = testQueue(t, dir)
	put(t, q, "c")
	assert.Equal(t, []string{"a", "b", "c"}, take(t, q))
	left, err := os.ReadFile(segmentPath(dir, 5))
	require.NoError(t, err)
	assert.Equal(t, "something else", string(left))
}

// The disk has its patience for each place, and each time anew.
func TestPatienceIsWithOnePlaceAtATime(t *testing.T) {
	start := time.Now()
	f := func(name string, want bool, at uint64, err error, after time.Duration, u *unread) {
		assert.Equal(t, want, u.lost(at, err, start.Add(after)), name)
	}
	u := &unread{}
	f("first place", false, 0, unix.EIO, 0, u)
	f("another place is read in between", false, 500, nil, time.Second, u)
	f("first place, a minute later", true, 0, unix.EIO, patience, u)
	f("second place", false, 100, unix.EIO, patience, u)
	f("second place, nearly a minute later", false, 100, unix.EIO, 2*patience-1, u)
	f("second place, given back", false, 100, nil, 2*patience, u)
	f("second place, ailing again", false, 100, unix.EIO, 3*patience, u)
	f("second place, a minute later", true, 100, unix.EIO, 4*patience, u)
}
