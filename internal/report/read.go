package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxReport bounds a saved report in bytes: real ones have a few hundred kilobytes.
const maxReport = 256 << 20

// ErrNoReport is wrapped by Read's error about input that is no report.
var ErrNoReport = errors.New("not a report of heapscan")

// Read reads a report that JSON wrote. Fields it does not know are left out. Errors:
// ErrNoReport, and those of r.
func Read(r io.Reader) (*Report, error) {
	limited := &io.LimitedReader{R: r, N: maxReport + 1}
	decoder := json.NewDecoder(limited)
	var out Report
	err := decoder.Decode(&out)
	if out.SchemaVersion != 0 && out.SchemaVersion != SchemaVersion {
		return nil, fmt.Errorf("%w of this version: its schema_version is %d, known is %d", ErrNoReport, out.SchemaVersion, SchemaVersion)
	}
	switch {
	case err != nil && limited.N == 0:
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrNoReport, maxReport)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrNoReport, err)
	case out.SchemaVersion == 0 || out.Histogram == nil:
		return nil, fmt.Errorf("%w: it has no schema_version or no histogram", ErrNoReport)
	case decoder.More():
		return nil, fmt.Errorf("%w: more follows behind it", ErrNoReport)
	}
	return &out, nil
}
