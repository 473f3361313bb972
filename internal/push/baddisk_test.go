package push

import (
	"bytes"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

// sickDisk fails as it is told to, where that is not nil.
type sickDisk struct {
	mu                sync.Mutex
	open, write, sync error
	// slow is what a sync waits for.
	slow chan struct{}
	// unclosed is how many files are open, synced how many syncs went well.
	unclosed, synced int
}

func (d *sickDisk) fail(open, write, sync error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open, d.write, d.sync = open, write, sync
}

// openFile is for queueOptions.
func (d *sickDisk) openFile(path string) (appendFile, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open != nil {
		return nil, d.open
	}
	f, err := openAppendFile(path)
	d.unclosed++
	return sickFile{f, d}, err
}

type sickFile struct {
	appendFile
	disk *sickDisk
}

func (f sickFile) WriteAt(p []byte, off int64) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if f.disk.write != nil {
		return 0, f.disk.write
	}
	return f.appendFile.WriteAt(p, off)
}

func (f sickFile) Sync() error {
	if f.disk.slow != nil {
		<-f.disk.slow
	}
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if f.disk.sync == nil {
		f.disk.synced++
	}
	return f.disk.sync
}

func (f sickFile) Close() error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	f.disk.unclosed--
	return f.appendFile.Close()
}

// onSick is a queue on that disk; its segments are of four records.
func onSick(t *testing.T, d *sickDisk) (*queue, *bytes.Buffer) {
	log := &bytes.Buffer{}
	return testQueue(t, t.TempDir(), func(o *queueOptions) {
		o.maxBytes, o.openFile, o.logger = 64<<10, d.openFile, slog.New(slog.NewTextHandler(log, nil))
	}), log
}

// kilobytes appends n records and returns how many were taken.
func kilobytes(q *queue, n int) (taken int) {
	for range n {
		if q.append(record{timeMs: 7, samples: 1, payload: make([]byte, 1000)}) == nil {
			taken++
		}
	}
	return taken
}

func TestAppendDoesNotWaitForTheDisk(t *testing.T) {
	d := &sickDisk{slow: make(chan struct{})}
	q, _ := onSick(t, d)
	require.Equal(t, 20, kilobytes(q, 20))
	synced := make(chan struct{})
	go func() {
		defer close(synced)
		q.sync()
	}()
	require.Equal(t, 20, kilobytes(q, 20))
	close(d.slow)
	<-synced
	q.sync()
	assert.Greater(t, len(q.segments), 4)
	assert.GreaterOrEqual(t, d.synced, len(q.segments), "each of the files")
	assert.Equal(t, 1, d.unclosed, "that which is written to")
	require.NoError(t, q.close())
	assert.Zero(t, d.unclosed)
}

// Files that go before they were on the disk are not kept open.
func TestASegmentThatIsGivenUpIsClosed(t *testing.T) {
	d := &sickDisk{}
	q, _ := onSick(t, d)
	require.Equal(t, 200, kilobytes(q, 200))
	require.Positive(t, q.stats().dropped.full)
	assert.Equal(t, len(q.segments), d.unclosed)
	require.NoError(t, q.close())
	assert.Zero(t, d.unclosed)
}

// Where no more files can be opened, that which is open takes more, to the queue's limit.
func TestWithoutAnotherFileNothingIsLost(t *testing.T) {
	d := &sickDisk{}
	q, log := onSick(t, d)
	d.fail(unix.EMFILE, nil, nil)
	require.Equal(t, 60, kilobytes(q, 60))
	assert.Equal(t, 1, strings.Count(log.String(), "cannot begin a new file"), log.String())
	assert.Equal(t, 5, kilobytes(q, 20), "there is a limit")
	d.fail(nil, nil, nil)
	require.Equal(t, 2, kilobytes(q, 2))
	assert.Len(t, q.segments, 1, "the big one made room")
	assert.Len(t, take(t, q), 2)
	assert.Equal(t, 65, q.stats().dropped.full)
}

func TestThatTheDiskIsNotReachedIsSaidOnceAndCounted(t *testing.T) {
	d := &sickDisk{sync: unix.EIO}
	q, log := onSick(t, d)
	for range 5 {
		kilobytes(q, 1)
		q.sync()
	}
	d.fail(nil, nil, nil)
	q.sync()
	assert.NotContains(t, log.String(), "again", "nothing was brought to it since")
	kilobytes(q, 1)
	q.sync()
	assert.Equal(t, 1, strings.Count(log.String(), "not brought to the disk"), log.String())
	assert.Equal(t, 1, strings.Count(log.String(), "brought to the disk again"), log.String())
	assert.EqualValues(t, 5, q.syncing.faults.Load())
}

func TestWhatAQueueDoesNotTakeIsSaidOnce(t *testing.T) {
	var log bytes.Buffer
	p, err := Open(Options{Dir: t.TempDir(), Destinations: []Destination{&scripted{}}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	require.NoError(t, err)
	defer func() { require.NoError(t, p.Close()) }()
	d := &sickDisk{}
	q := p.workers[0].queue
	q.opts.maxMemory = 0
	q.active = sickFile{q.active, d}
	appendValues(t, p, 1)
	d.fail(nil, unix.EROFS, nil)
	for range 3 {
		require.ErrorIs(t, p.Append([]series.Sample{testSample(2), testSample(3)}), unix.EROFS)
	}
	require.Len(t, p.Troubles(), 1)
	assert.Regexp(t, `^Samples for scripted are lost since .*, 6 by now: .*read-only file system`, p.Troubles()[0])
	d.fail(nil, nil, nil)
	appendValues(t, p, 4)
	assert.Empty(t, p.Troubles())
	assert.Equal(t, 1, strings.Count(log.String(), "samples are lost until further notice"), log.String())
	assert.Equal(t, 1, strings.Count(log.String(), "the queue takes samples again\" destination=scripted samples_lost=6"), log.String())
}

func TestThatSamplesAreInMemoryAloneIsShown(t *testing.T) {
	p, err := Open(Options{Dir: t.TempDir(), Destinations: []Destination{&scripted{}}})
	require.NoError(t, err)
	defer func() { require.NoError(t, p.Close()) }()
	q := p.workers[0].queue
	q.active = sickFile{q.active, &sickDisk{write: unix.EIO}}
	appendValues(t, p, 1, 2)
	assert.Equal(t, []string{"2 samples for scripted are in memory alone, as the disk did not take them: make room, or see what ails it"}, p.Troubles())
}

// A disk that fails to give a record back is asked for a minute; then what is behind it goes out.
func TestAPlaceThatCannotBeReadHoldsUpNothingForEver(t *testing.T) {
	if _, err := os.Stat("/proc/self/mem"); err != nil {
		t.Skip(err) // nothing else fails like a disk
	}
	synctest.Test(t, func(t *testing.T) {
		d := &scripted{}
		p, q := backlog(t, d)
		s := q.segments[1]
		before := q.segments[0].samples
		require.NoError(t, os.Remove(s.path))
		require.NoError(t, os.Symlink("/proc/self/mem", s.path)) // has nothing at its beginning
		stop := runs(t, p)
		pass(patience / 2)
		assert.Equal(t, upTo(1, float64(before)), acceptedOf(d))
		require.Len(t, p.Troubles(), 1)
		assert.Contains(t, p.Troubles()[0], "input/output error")
		pass(2 * patience)
		assert.Len(t, acceptedOf(d), 200-s.samples)
		assert.Empty(t, p.Troubles())
		assert.InDelta(t, s.samples, metric(t, p, `apm_sidecar_push_dropped_samples_total{url="scripted",reason="damaged"}`), 0)
		stop()
	})
}

// badSector cannot be read from there on.
type badSector struct {
	io.ReaderAt
	from int64
}

func (b badSector) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > b.from {
		return 0, unix.EIO
	}
	return b.ReaderAt.ReadAt(p, off)
}

func TestAPlaceThatCannotBeReadKeepsNobodyFromTheStart(t *testing.T) {
	var file []byte
	for range 5 {
		file = appendRecord(file, record{timeMs: 7, samples: 3, payload: make([]byte, 1000)})
	}
	s := scanned{segment: segment{base: 7}}
	var buf []byte
	require.NoError(t, s.scan(badSector{bytes.NewReader(file), 2500}, int64(len(file)), 7, &buf))
	assert.Equal(t, 6, s.samples)
	assert.Equal(t, badPlaces{1, 1}, s.damaged)
	assert.EqualValues(t, 2*len(file)/5, s.size)
}

// What a disk does not take waits in memory, which has a bound, and goes out from there. The
// disk has what comes once it works again.
func TestWhatTheDiskDoesNotTakeWaitsInMemory(t *testing.T) {
	for name, sick := range map[string]struct{ open, write error }{
		"read-only": {unix.EROFS, unix.EROFS}, "full": {nil, unix.ENOSPC}, "broken": {unix.EIO, unix.EIO}, "broken where it is written to": {nil, unix.EIO},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &sickDisk{}
				q, log := onSick(t, d)
				q.opts.maxMemory = 40 << 10
				put(t, q, "one")
				d.fail(sick.open, sick.write, nil)
				for range 3 { // the disk is tried in between
					require.Equal(t, 5, kilobytes(q, 5))
					time.Sleep(2 * rollInterval)
				}
				require.Positive(t, q.sheltered())
				assert.Less(t, kilobytes(q, 100), 40, "there is a limit")
				assert.LessOrEqual(t, q.sheltered(), q.opts.maxMemory)

				before := q.sheltered()
				for time.Sleep(time.Second); ; {
					_, _, end, ok, err := q.next(false)
					require.NoError(t, err)
					if !ok {
						break
					}
					q.delivered([]delivery{{end: end, samples: 1, ackAt: time.Now()}}, false)
				}
				require.True(t, q.ackDue(time.Now()))
				assert.Zero(t, q.stats().samples, "all of it went out")
				time.Sleep(rollInterval)
				require.Equal(t, 1, kilobytes(q, 1))
				require.True(t, q.ackDue(time.Now()) || q.sheltered() < before, "what went out makes room")

				d.fail(nil, nil, nil)
				time.Sleep(rollInterval)
				put(t, q, "two")
				assert.False(t, q.inMemory())
				dir := q.opts.dir
				q.sync()
				require.NoError(t, q.close())
				assert.Equal(t, 1, strings.Count(log.String(), "they wait in memory"), log.String())
				assert.Equal(t, 1, strings.Count(log.String(), "the disk takes samples again"), log.String())
				assert.Contains(t, log.String(), "cannot be sent, nor sent again\" samples=1")
				assert.Contains(t, take(t, testQueue(t, dir)), "two")
			})
		})
	}
}
