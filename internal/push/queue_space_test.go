package push

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
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
			assert.Equal(t, int64(st.dropped.disk+1), q.oldestMs(), "the oldest went, none in between")
			assert.Len(t, take(t, q), st.samples)
			require.NoError(t, q.close())
			assert.Len(t, take(t, testQueue(t, dir)), st.samples, "and it opens again")
		})
	}
}

// On some file systems a full disk has no room for another file either.
func TestQueueGivesUpTheOldestWhenThereIsNoRoomForAFile(t *testing.T) {
	dir := t.TempDir()
	q := testQueue(t, dir, func(o *queueOptions) {
		o.maxBytes = 64 << 10
		o.openFile = func(path string) (appendFile, error) {
			if bases, err := listSegments(dir); err != nil || len(bases) >= 3 {
				return nil, unix.ENOSPC
			}
			return openAppendFile(path)
		}
	})
	for range 30 {
		require.NoError(t, q.append(record{timeMs: 7, samples: 3, payload: make([]byte, 1000)}))
	}
	st := q.stats()
	assert.Positive(t, st.dropped.disk)
	assert.Equal(t, 90, st.samples+st.dropped.disk)
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

// TestQueueGivesUpASmallPart: a disk without a free byte costs little of what waits, and one
// line in the log a minute.
func TestQueueGivesUpASmallPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		var log bytes.Buffer
		const disk = 512 << 10
		q := testQueue(t, dir, onDisk(dir, disk), func(o *queueOptions) {
			o.maxBytes, o.logger = 1<<30, slog.New(slog.NewTextHandler(&log, nil))
		})
		payload := bytes.Repeat([]byte("x"), 1000)
		fullSeconds := 0
		for range 2000 {
			time.Sleep(time.Second)
			require.NoError(t, q.append(record{samples: 1, payload: payload}))
			if q.stats().dropped.disk > 0 {
				fullSeconds++
				assert.Greater(t, q.stats().bytes, uint64(disk)*3/4)
			}
		}
		assert.Positive(t, q.stats().dropped.disk)
		said := strings.Count(log.String(), "oldest samples dropped")
		assert.Positive(t, said)
		assert.LessOrEqual(t, said, fullSeconds/60+1)
	})
}

// TestQueueRollsSlowly: each new file costs Append the writing of the one before.
func TestQueueRollsSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		q := testQueue(t, dir, func(o *queueOptions) { o.maxBytes = 1 << 30 })
		files := map[uint64]bool{}
		const seconds = 100
		for range 10 * seconds { // 100 KB a second that are taken at once
			time.Sleep(time.Second / 10)
			require.NoError(t, q.append(record{samples: 1, payload: make([]byte, 10_000)}))
			_, _, end, _, err := q.next(false)
			require.NoError(t, err)
			q.delivered([]delivery{{end: end, samples: 1}}, false)
			q.ackDue(time.Now())
			files[q.segments[len(q.segments)-1].base] = true
		}
		assert.LessOrEqual(t, len(files), seconds/10+1)
	})
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

	assert.True(t, q.awaited())
	q.rewind() // d may be lost
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

// What overtakes is of the last minutes after the clock was set back, too, and not all since then.
func TestQueueMarksGoOnWhenTheClockIsSetBack(t *testing.T) {
	q := testQueue(t, t.TempDir())
	const ahead, minute = int64(1) << 40, int64(60_000)
	at := []int64{ahead, ahead + minute, minute, 2 * minute, 2*minute + 1, 3 * minute, 4 * minute, 5 * minute}
	for _, timeMs := range at {
		require.NoError(t, q.append(record{timeMs: timeMs, samples: 1, payload: []byte("x")}))
	}
	var marks []int64
	for _, m := range q.marks {
		marks = append(marks, m.timeMs)
	}
	assert.Equal(t, []int64{minute, 2 * minute, 3 * minute, 4 * minute, 5 * minute}, marks)
}

func TestQueueHandsOutNothingTwiceForOvertaking(t *testing.T) {
	q := testQueue(t, t.TempDir())
	put(t, q, "a", "b")
	assert.Equal(t, []string{"a", "b"}, take(t, q))
	q.overtake() // all that there is was appended of late, and is handed out
	assert.False(t, q.overtakes())
	assert.Empty(t, take(t, q))
}

func TestRecordsOfTheFutureAreOld(t *testing.T) {
	now := time.Now()
	f := func(age time.Duration, want bool) {
		assert.Equal(t, want, isOld(record{timeMs: now.Add(-age).UnixMilli()}, now), age)
	}
	f(0, false)
	f(freshAge-time.Second, false)
	f(freshAge+time.Second, true)
	f(-freshAge+time.Second, false)
	f(-freshAge-time.Second, true)
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

// A backlog that is given up while later records overtake it leaves nothing to hand out, and
// of what had overtaken it only what is still there is accounted for.
func TestQueueGivesUpABacklogThatIsOvertaken(t *testing.T) {
	q := testQueue(t, t.TempDir(), func(o *queueOptions) { o.maxBytes = 64 << 10 })
	one := record{timeMs: 1, samples: 1, payload: make([]byte, 1000)}
	for range 3 {
		require.NoError(t, q.append(one))
	}
	q.marks = nil
	q.overtake()
	require.NoError(t, q.append(one))
	_, _, end, ok, err := q.next(true)
	require.NoError(t, err)
	require.True(t, ok)
	q.delivered([]delivery{{end: end, samples: 1}}, true)
	for q.ack < end {
		require.NoError(t, q.append(one))
	}
	_, _, _, ok, err = q.next(false)
	require.NoError(t, err)
	assert.False(t, ok, "the backlog is gone")
	require.False(t, q.overtakes(), "and all others are in order again")
	before := q.stats().samples
	assert.False(t, q.ackDue(time.Now()), "what had overtaken it is gone as well")
	assert.Len(t, take(t, q), before)
	assert.True(t, q.ackDue(time.Now()))
	assert.Zero(t, q.stats().samples)
}
