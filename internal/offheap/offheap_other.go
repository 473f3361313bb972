//go:build !linux

package offheap

import (
	"errors"
	"os"
	"time"
)

// Folder returns the folder for temporary files.
func Folder() string { return os.TempDir() }

// Space is not known on this system: disks are taken until they are full.
func Space(*os.File) (free, all int64, err error) { return 0, 0, errors.ErrUnsupported }

// allocate takes the memory from the Go heap, 8-byte aligned as all big arrays are.
func allocate(bytes int) ([]byte, error) { return make([]byte, bytes), nil }

func release([]byte) {}

func adviseHuge([]byte) {}

func populate([]byte) {}

func hurry() {}

// sleep is never called: what is not known can't be kept below a limit.
func sleep(time.Duration) {}

func canPagewise() bool { return false }

func canSpill() error { return ErrNoSpill }

func allocateInFile(int) ([]byte, error) { return nil, ErrNoSpill }

func moveToFile([]byte) error { return ErrNoSpill }

func forget([]byte) {}

// Resident is not known on this system.
func Resident() (int64, error) { return 0, errors.ErrUnsupported }
