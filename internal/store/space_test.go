package store

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/host"
)

// The engine refuses by a look of its own, which may be newer than ours.
func TestTooLittleTellsWhatIsFreeNow(t *testing.T) {
	s := newSpace(Options{Dir: t.TempDir()}.withDefaults())
	assert.NotContains(t, s.tooLittle().Error(), "EiB", "what is free before the first look")
}

// Who is killed while the reserve is written, at the first start, must find a store and not a folder
// of somebody else's; nor is the reserve of a process that is at work made or given up.
func TestTheLockComesBeforeTheReserve(t *testing.T) {
	opts := Options{Dir: t.TempDir(), MinFreeBytes: leastMinFreeBytes}.withDefaults()
	f, err := os.Create(filepath.Join(opts.Dir, lockName))
	require.NoError(t, err)
	locked, err := host.Lock(f)
	require.NoError(t, err)
	require.True(t, locked)

	room := newSpace(opts)
	require.ErrorIs(t, checkFolder(opts.Dir, room), ErrInUse)
	assert.NoFileExists(t, room.reserve())
	require.NoError(t, f.Close())
	require.NoError(t, checkFolder(opts.Dir, room))
	assert.FileExists(t, room.reserve())
}

// What is in memory is written once each time that less is taken than before, and the reserve is
// given up where no more than it is free.
func TestWhatIsDoneAsTheDiskFills(t *testing.T) {
	const least = 2 * leastMinFreeBytes
	const reserve = least / reserveShare
	opts := Options{Dir: t.TempDir(), MinFreeBytes: least, Logger: slog.New(slog.DiscardHandler)}
	saved := 0
	begin := func() *space {
		s := newSpace(opts)
		s.save = func() error { saved++; return nil }
		return s
	}
	s := begin()
	f := func(free int64, wantReserve int64, wantSaved int, what string) {
		t.Helper()
		saved = 0
		s.note(free)
		size := int64(0)
		if info, err := os.Stat(s.reserve()); err == nil {
			size = info.Size()
		}
		assert.Equal(t, wantReserve, size, what)
		assert.Equal(t, wantSaved, saved, what)
	}
	f(least+reserve, 0, 0, "too little for a reserve")
	f(least+reserve+1, reserve, 0, "enough for one")
	f(least, reserve, 0, "just enough for samples")
	f(least-1, reserve, 1, "too little for samples")
	f(least-1, reserve, 0, "still so")
	f(engineMinFreeBytes-1, reserve, 1, "too little for anything")
	f(reserve-1, 0, 1, "nearly nothing")
	f(reserve-2, 0, 0, "the reserve is gone")
	f(least+reserve+1, reserve, 0, "room again")

	s = begin()
	f(reserve, reserve, 1, "the reserve of before")
	f(reserve-1, 0, 1, "which is given up")
	f(least+reserve+1, reserve, 0, "room again")
	opts.MinFreeBytes *= 2
	s = begin()
	f(2*(least+reserve)+1, 2*reserve, 0, "a reserve of another size is made anew")
	f(leastMinFreeBytes/reserveShare-1, 0, 1, "given up")

	opts.Dir = t.TempDir()
	s = begin()
	f(leastMinFreeBytes/reserveShare-1, 0, 0, "no room to write it to")
	s = begin()
	f(leastMinFreeBytes/reserveShare, 0, 1, "just enough room")
}
