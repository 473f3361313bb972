package offheap

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Folder returns the folder for temporary files: TMPDIR or /tmp, but /var/tmp where /tmp is
// in memory itself, nobody asked for it and /var/tmp can be written to.
func Folder() string {
	const onDisk = "/var/tmp"
	if folder := os.TempDir(); os.Getenv("TMPDIR") != "" || !inMemory(folder) || inMemory(onDisk) || unix.Access(onDisk, unix.W_OK|unix.X_OK) != nil {
		return folder
	}
	return onDisk
}

// spillFolder is Folder, if that is not in memory. Errors: ErrNoSpill.
func spillFolder() (string, error) {
	folder := Folder()
	if !inMemory(folder) {
		return folder, nil
	}
	return "", fmt.Errorf("%w: %s is in memory itself (set TMPDIR to a folder on a disk)", ErrNoSpill, folder)
}

// inMemory says whether what is written to a folder stays in memory.
func inMemory(folder string) bool {
	var s unix.Statfs_t
	if err := unix.Statfs(folder, &s); err != nil {
		return false // whoever writes there gets the error
	}
	return s.Type == unix.TMPFS_MAGIC || s.Type == unix.RAMFS_MAGIC
}

func canSpill() error {
	_, err := spillFolder()
	return err
}

// newSpillFile returns an unlinked file with room for size bytes, all zero: it is gone
// when nothing is mapped from it any more, whatever happens to the process. The room is
// taken at once, as a full disk would kill the process when it writes to the mapping.
func newSpillFile(size int) (*os.File, error) {
	folder, err := spillFolder()
	if err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(folder, "heapscan-*.memory")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if err := takeRoom(f, int64(size)); err != nil {
		return nil, errors.Join(fmt.Errorf("no room for %d bytes in %s: %w (set TMPDIR to a folder with space)", size, folder, err), f.Close())
	}
	return f, nil
}

// Space returns how many bytes are free on the disk that a file lies on, and how many it has.
func Space(f *os.File) (free, all int64, err error) {
	var s unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &s); err != nil {
		return 0, 0, err
	}
	return int64(s.Bavail) * s.Bsize, int64(s.Blocks) * s.Bsize, nil
}

// takeRoom makes a file that big, all zero. It looks first, as some file systems take all
// that is left before they say that it is not enough.
func takeRoom(f *os.File, size int64) error {
	free, _, err := Space(f)
	if err != nil {
		return err
	}
	if size > free {
		return unix.ENOSPC
	}
	return unix.Fallocate(int(f.Fd()), 0, 0, size)
}

// mapped ends the mapping of f: the mapping keeps the file, the descriptor is not
// needed. Reading ahead brings in pages by the megabyte that nobody counted on.
func mapped(raw []byte, f *os.File, err error) error {
	if err != nil {
		return errors.Join(fmt.Errorf("map a temporary file: %w", err), f.Close())
	}
	_ = unix.Madvise(raw, unix.MADV_RANDOM) // a hint
	pagewise(raw)
	return f.Close()
}

func allocateInFile(size int) ([]byte, error) {
	f, err := newSpillFile(size)
	if err != nil {
		return nil, err
	}
	raw, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	return raw, mapped(raw, f, err)
}

// moveToFile replaces the memory of an array by that of a file with the same content,
// at the same address.
func moveToFile(raw []byte) error {
	f, err := newSpillFile(len(raw))
	if err != nil {
		return err
	}
	const block = 4 << 10 // a page: what is written at once stays together in memory later
	none := make([]byte, block)
	for at := 0; at < len(raw); at += block {
		b := raw[at:min(at+block, len(raw))]
		if bytes.Equal(b, none[:len(b)]) {
			continue // mostly memory that was never written to, and takes none
		}
		if _, err := f.WriteAt(b, int64(at)); err != nil {
			return errors.Join(fmt.Errorf("move an array to the disk: %w", err), f.Close())
		}
	}
	_, err = unix.MmapPtr(int(f.Fd()), 0, unsafe.Pointer(&raw[0]), uintptr(len(raw)), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_FIXED)
	return mapped(raw, f, err)
}

// forget takes the pages of a mapped file out of memory. What was written to them is in
// the file.
func forget(raw []byte) {
	// The only errors are those of arguments that are no mapping.
	_ = unix.Madvise(raw, unix.MADV_DONTNEED)
}
