package push

import (
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// slowReads are reads from a disk each of which takes its time.
type slowReads struct {
	*os.File
	open, read time.Duration
}

func (f slowReads) ReadAt(p []byte, off int64) (int, error) {
	time.Sleep(f.read)
	return f.File.ReadAt(p, off)
}

// slow makes a queue read so.
func slow(q *queue, open, read time.Duration) {
	q.opts.openRead = func(path string) (readFile, error) {
		time.Sleep(open)
		f, err := os.Open(path)
		return slowReads{f, open, read}, err
	}
}

// A disk that does not give back what waits on it for minutes keeps no poll from being
// taken down, and nothing is lost or sent twice when it does.
func TestADiskThatIsSlowToReadHoldsUpNoAppend(t *testing.T) {
	f := func(name string, open, read time.Duration) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &scripted{}
				p, q := backlog(t, d)
				slow(q, open, read)
				stop := runs(t, p)
				for i := range 60 {
					began := time.Now()
					appendValues(t, p, float64(201+i))
					p.Troubles()
					assert.Zero(t, time.Since(began))
					pass(time.Second)
				}
				require.Less(t, len(acceptedOf(d)), 200, "the disk was too quick for this test")
				q.mu.Lock()
				q.opts.openRead = openReadFile
				q.reader, q.readerBase = nil, 0
				q.mu.Unlock()
				pass(10 * time.Minute)
				assert.Equal(t, upTo(1, 260), acceptedOf(d))
				stop()
			})
		})
	}
	f("to open a file", 10*time.Minute, 0)
	f("to read", 0, 5*time.Minute)
}
