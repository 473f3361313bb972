package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// maxRecordsBytes bounds a file of records that is read back.
const maxRecordsBytes = 8 << 20

// records are the kept evidence of one target: bounded, and on disk where there is a
// folder for it. Safe for concurrent use.
type records struct {
	// file is empty where they live in memory alone.
	file string

	mu   sync.Mutex
	list []jvm.Evidence
}

// openRecords reads back what an earlier run kept of a target.
func openRecords(directory string, t jvm.Target) *records {
	if directory == "" {
		return &records{}
	}
	r := &records{file: filepath.Join(directory, filePrefix(t)+".json")}
	r.list = readRecords(r.file)
	if r.list == nil {
		r.list = readRecords(filepath.Join(directory, plainPrefix(t)+".json"))
	}
	return r
}

// readRecords reads a file. A damaged one is as good as none: it is overwritten by the next record.
func readRecords(file string) (list []jvm.Evidence) {
	info, err := os.Stat(file)
	if err != nil || info.Size() > maxRecordsBytes {
		return nil
	}
	content, err := os.ReadFile(filepath.Clean(file))
	if err != nil || json.Unmarshal(content, &list) != nil {
		return nil
	}
	return list
}

// all are the records, oldest first.
func (r *records) all() []jvm.Evidence {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.list)
}

// add keeps a record and writes all of them to disk.
func (r *records) add(record jvm.Evidence) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, record)
	r.list = slices.Delete(r.list, 0, max(0, len(r.list)-maxRecords))
	if r.file == "" {
		return nil
	}
	content, err := json.Marshal(r.list)
	if err != nil {
		return fmt.Errorf("evidence: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(r.file), 0o750); err != nil {
		return fmt.Errorf("evidence: %w", err)
	}
	temp := r.file + ".part"
	if err := os.WriteFile(temp, content, 0o600); err != nil {
		return errors.Join(fmt.Errorf("evidence: %w", err), removeIfThere(temp))
	}
	return os.Rename(temp, r.file)
}

func removeIfThere(file string) error {
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
