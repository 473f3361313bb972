package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const (
	// startTimeout is how long a program may take until it serves, and stopGrace how long
	// until it has ended. Whoever fails says so at once; these are for machines that are
	// slow, busy or cold.
	startTimeout = 3 * time.Minute
	stopGrace    = time.Minute
)

// Bench is a temporary folder and the processes that work in it.
// It is safe for use by several goroutines.
type Bench struct {
	// Dir is the folder. It is removed by Close.
	Dir string

	guard *guard

	mu        sync.Mutex
	processes []*Process // in the order they were started
}

// NewBench makes the temporary folder. The caller closes the bench.
func NewBench() (*Bench, error) {
	dir, err := os.MkdirTemp("", "testbed-")
	if err != nil {
		return nil, err
	}
	// PostgreSQL may run as another user, who must be able to pass through.
	if err := os.Chmod(dir, 0o755); err != nil { // nothing secret is in there
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	g, err := startGuard(dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &Bench{Dir: dir, guard: g}, nil
}

// Folder makes a folder of that name below Dir and returns its path.
func (b *Bench) Folder(name string) (string, error) {
	path := filepath.Join(b.Dir, name)
	if err := os.MkdirAll(path, 0o755); err != nil { // see NewBench
		return "", err
	}
	return path, nil
}

// Start runs c until it ends by itself, Stop is called on it, or the bench is
// closed. ctx limits only the start.
func (b *Bench) Start(ctx context.Context, c Command) (*Process, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	log := filepath.Join(b.Dir, fmt.Sprintf("%02d-%s.log", len(b.processes), c.Name))
	p, err := startProcess(c, log)
	if err != nil {
		return nil, err
	}
	b.processes = append(b.processes, p)
	if err := b.guard.watch(c.abandonSignal(), p.pid); err != nil {
		return nil, fmt.Errorf("guard: %w", err)
	}
	return p, nil
}

// Close stops all processes, last started first, and removes the folder.
func (b *Bench) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var faults []error
	for i := len(b.processes) - 1; i >= 0; i-- {
		faults = append(faults, b.processes[i].Stop(stopGrace))
	}
	b.processes = nil
	faults = append(faults, os.RemoveAll(b.Dir))
	b.guard.dismiss()
	return errors.Join(faults...)
}
