package push

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// fullDisk fails as the system would, after writing a part, when the segments of
// dir would take more than limit bytes.
type fullDisk struct {
	appendFile
	dir   string
	limit int64
}

func (f fullDisk) WriteAt(p []byte, off int64) (int, error) {
	room := f.limit
	files, _ := filepath.Glob(filepath.Join(f.dir, "*"+segmentSuffix))
	for _, name := range files {
		info, err := os.Stat(name)
		if err != nil {
			return 0, err
		}
		room -= info.Size()
	}
	if int64(len(p)) > room {
		n, _ := f.appendFile.WriteAt(p[:max(room, 0)], off)
		return n, unix.ENOSPC
	}
	return f.appendFile.WriteAt(p, off)
}

// onDisk makes a queue's disk as big as limit.
func onDisk(dir string, limit int64) func(*queueOptions) {
	return func(o *queueOptions) {
		o.openFile = func(path string) (appendFile, error) {
			f, err := openAppendFile(path)
			return fullDisk{f, dir, limit}, err
		}
	}
}

func TestQueueGivesUpTheOldestWhenTheDiskIsFull(t *testing.T) {
	for name, limit := range map[string]int64{"several segments": 40 << 10, "a single segment": 3 << 10} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			q := testQueue(t, dir, onDisk(dir, limit))
			q.opts.maxBytes = 64 << 10
			payload := bytes.Repeat([]byte("x"), 1000)
			const n = 100
			for i := range n {
				require.NoError(t, q.append(record{timeMs: int64(i + 1), samples: 1, payload: payload}))
			}
			st := q.stats()
			assert.Positive(t, st.dropped.disk)
			assert.Zero(t, st.dropped.full)
			assert.Equal(t, n, st.dropped.disk+st.samples)
			assert.Equal(t, int64(st.dropped.disk+1), st.oldestMs, "the oldest went, none in between")
			assert.Len(t, take(t, q), st.samples)
			require.NoError(t, q.close())
			assert.Len(t, take(t, testQueue(t, dir)), st.samples, "and it opens again")
		})
	}
}

func TestQueueFullDiskWithoutAnythingToGiveUpIsAnError(t *testing.T) {
	dir := t.TempDir()
	q := testQueue(t, dir, onDisk(dir, 100))
	put(t, q, "a")
	require.ErrorIs(t, q.append(record{samples: 1, payload: bytes.Repeat([]byte("x"), 200)}), unix.ENOSPC)
	put(t, q, "b")
	assert.Equal(t, []string{"b"}, take(t, q))
}

func TestQueueLeavesSpaceToOthers(t *testing.T) {
	q := testQueue(t, t.TempDir(), func(o *queueOptions) { o.maxBytes, o.minFreeBytes = 64<<10, 1<<62 })
	payload := bytes.Repeat([]byte("x"), 1000)
	for range 100 {
		require.NoError(t, q.append(record{samples: 1, payload: payload}))
	}
	st := q.stats()
	assert.Equal(t, 100, st.dropped.disk+st.samples)
	assert.LessOrEqual(t, st.bytes, 2*uint64(q.segmentBytes())+2000, "it does not grow")
}

func TestQueueFreshRecordsOvertake(t *testing.T) {
	dir := t.TempDir()
	q := testQueue(t, dir)
	give := func(fresh bool) string {
		r, _, end, ok, err := q.next(fresh)
		require.NoError(t, err)
		if !ok {
			return ""
		}
		q.delivered([]delivery{{end: end, samples: r.samples}}, fresh)
		return string(r.payload)
	}
	put(t, q, "a", "b", "c")
	assert.False(t, q.overtakes())
	require.NoError(t, q.append(record{timeMs: 1 << 40, samples: 1, payload: []byte("d")}))
	q.marks = q.marks[1:] // a, b and c were appended long before
	q.overtake()
	put(t, q, "e")
	require.True(t, q.overtakes())
	assert.Equal(t, "d", give(true))
	assert.Equal(t, "a", give(false))
	assert.True(t, q.ackDue(time.Now()))
	assert.Equal(t, 4, q.stats().samples, "d is not acknowledged before b and c")

	assert.True(t, q.rewind(), "d may be lost")
	assert.Equal(t, "d", give(true))
	_, start, _, _, err := q.next(true)
	require.NoError(t, err)
	q.stepBack(start, true)
	assert.Equal(t, "e", give(true))
	assert.Empty(t, give(true))
	assert.Equal(t, "b", give(false))
	assert.Equal(t, "c", give(false))
	assert.Empty(t, give(false), "the backlog ends where the fresh ones begin")
	assert.False(t, q.overtakes())
	put(t, q, "f")
	assert.Equal(t, "f", give(false))
	q.ackDue(time.Now())
	assert.Zero(t, q.stats().samples)
	assert.Zero(t, q.stats().bytes)
}

func TestQueueKilledWhileOvertakingReplaysAll(t *testing.T) {
	dir := t.TempDir()
	q := testQueue(t, dir)
	put(t, q, "a", "b")
	q.marks = nil
	q.overtake()
	put(t, q, "c")
	_, _, end, _, err := q.next(true)
	require.NoError(t, err)
	q.delivered([]delivery{{end: end, samples: 1}}, true)
	q.ackDue(time.Now())
	require.NoError(t, q.close())
	assert.Equal(t, []string{"a", "b", "c"}, take(t, testQueue(t, dir)))
}
