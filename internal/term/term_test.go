package term

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAFileIsNoTerminal(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	require.NoError(t, err)
	defer f.Close()
	assert.False(t, IsTerminal(f))
	assert.Zero(t, Width(f))
	assert.False(t, Color(f, func(string) string { return "" }))
}

func TestColorAllowed(t *testing.T) {
	f := func(env map[string]string, want bool) {
		t.Helper()
		assert.Equal(t, want, colorAllowed(func(name string) string { return env[name] }))
	}
	f(nil, true)
	f(map[string]string{"TERM": "xterm-256color"}, true)
	f(map[string]string{"TERM": "dumb"}, false)
	f(map[string]string{"NO_COLOR": "1"}, false)
	f(map[string]string{"NO_COLOR": ""}, true)
}

func TestLinesComeEveryTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := StartProgress(&out, Lines, nil)
		p.Update("reading objects", 50<<20, 400<<20)
		time.Sleep(9 * time.Second)
		p.Update("reading objects", 100<<20, 400<<20)
		time.Sleep(time.Second + time.Millisecond)
		p.Update("finding dominators", 300<<20, 400<<20)
		time.Sleep(10 * time.Second)
		phases := p.Stop()
		assert.Equal(t, "reading objects: 100 MiB of 400 MiB (25.0 %), 10.0 MiB/s, 30 s left\n"+
			"finding dominators: 300 MiB of 400 MiB (75.0 %), 9 s in this step\n", out.String())
		require.Len(t, phases, 2)
		assert.Equal(t, "reading objects", phases[0].Name)
		assert.Equal(t, 10*time.Second+time.Millisecond, phases[0].Elapsed)
		assert.Equal(t, 10*time.Second, phases[1].Elapsed)
	})
}

func TestShortWorkWritesNoLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := StartProgress(&out, Lines, nil)
		p.Update("reading objects", 1, 2)
		time.Sleep(9 * time.Second)
		p.Stop()
		assert.Empty(t, out.String())
	})
}

func TestSilentWritesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := StartProgress(&out, Silent, nil)
		p.Update("reading objects", 1, 2)
		time.Sleep(time.Minute)
		assert.Len(t, p.Stop(), 1)
		assert.Empty(t, out.String())
	})
}

// A line comes when it is asked for, in all modes without a bar.
func TestAskedForALine(t *testing.T) {
	for _, mode := range []Mode{Silent, Lines} {
		synctest.Test(t, func(t *testing.T) {
			var out bytes.Buffer
			asked := make(chan os.Signal, 1)
			p := StartProgress(&out, mode, asked)
			p.Update("reading objects", 1<<20, 400<<20)
			p.Update("reading objects", 100<<20, 400<<20)
			time.Sleep(2 * time.Second)
			asked <- os.Interrupt
			synctest.Wait()
			assert.Equal(t, "reading objects: 100 MiB of 400 MiB (25.0 %), 50.0 MiB/s, 6 s left\n", out.String())
			p.Update("finding dominators", 200<<20, 400<<20)
			time.Sleep(5 * time.Second)
			// Reported again and again without an advance, it still stands still.
			p.Update("finding dominators", 200<<20, 400<<20)
			asked <- os.Interrupt
			synctest.Wait()
			assert.Contains(t, out.String(), "finding dominators: 200 MiB of 400 MiB (50.0 %), 5 s in this step\n")
			p.Stop()
		})
	}
}

func TestBarShowsPhaseBytesAndSpeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := StartProgress(&out, Bar, nil)
		p.Update("reading objects", 5<<20, 20<<20)
		time.Sleep(9 * time.Second)
		p.Update("reading objects", 10<<20, 20<<20)
		time.Sleep(time.Second + 50*time.Millisecond)
		// More than was announced must neither end the bar nor break it.
		p.Update("reading on", 29<<20, 20<<20)
		p.Update("reading on", 30<<20, 20<<20)
		time.Sleep(time.Second)
		p.Stop()
		assert.Contains(t, out.String(), "reading objects [=")
		assert.Contains(t, out.String(), "10.0 MiB of 20.0 MiB, 1.00 MiB/s, 10 s left")
		assert.Contains(t, out.String(), "reading on [=")
	})
}
