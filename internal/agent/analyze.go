package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/report"
	"github.com/apm-sidecar/apm-sidecar/internal/scan"
)

// ErrPartial says that a dump was damaged: the report covers what could be read.
var ErrPartial = errors.New("the dump is damaged: the report covers what could be read")

// verdictWidth is the width of the verdict in columns: it ends up in a log.
const verdictWidth = 100

// Analyze is the work of the child process: it scans the dump, writes the report
// as JSON to reportFile and as a page beside it, each all or nothing, and the verdict to
// stdout. The report names
// this program in the given version, and takes no more than maxMemoryBytes of memory, 0
// for what is free. ErrPartial comes with both written.
func Analyze(ctx context.Context, dump, reportFile, version string, maxMemoryBytes int64, stdout io.Writer) error {
	r, err := scan.File(ctx, dump, scan.Options{MaxMemoryBytes: maxMemoryBytes, Tool: report.Tool{Name: "apm-sidecar", Version: version}})
	if err != nil {
		return err
	}
	// The JSON form comes last: it is what says that the analysis is done.
	page := pagePath(reportFile)
	if err := writeReport(page, r, report.HTML); err != nil {
		return err
	}
	if err := writeReport(reportFile, r, report.JSON); err != nil {
		return errors.Join(err, os.Remove(page))
	}
	if err := report.Verdict(stdout, r, report.TextOptions{Width: verdictWidth}); err != nil {
		return fmt.Errorf("write the verdict: %w", err)
	}
	if r.Partial() {
		return ErrPartial
	}
	return nil
}

// pagePath is where the page of a report lies.
func pagePath(reportFile string) string { return strings.TrimSuffix(reportFile, ".json") + ".html" }

// writeReport writes to a temporary file beside the target and renames it.
func writeReport(file string, r *report.Report, render func(io.Writer, *report.Report) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*.tmp")
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("write the report: %w", err)
			// What is left of a failed write is of no use to anyone.
			_ = os.Remove(f.Name())
		}
	}()
	if err := render(f, r); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), file)
}
