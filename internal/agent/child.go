package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// maxVerdictBytes bounds what is taken from the analyser's standard output.
	maxVerdictBytes = 64 << 10
	// maxComplaintBytes bounds what is kept of its standard error.
	maxComplaintBytes = 4 << 10
	// exitPartial is the analyser's exit code for a damaged dump: there is a
	// report all the same.
	exitPartial = 3
	// grace is the time between asking the analyser to stop and killing it.
	grace = 2 * time.Second
)

// runAnalyser runs the analyser on the dump in a child of low priority and
// returns what it printed. The report is at reportFile when the error is nil.
func runAnalyser(ctx context.Context, analyser []string, memoryLimitBytes int64, dump, reportFile string) ([]byte, error) {
	if len(analyser) == 0 {
		return nil, errors.New("no analyser is configured")
	}
	args := append(append([]string{}, analyser[1:]...), dump, "--report", reportFile)
	if memoryLimitBytes > 0 {
		args = append(args, "--max-memory", strconv.FormatInt(memoryLimitBytes, 10))
	}
	cmd := exec.CommandContext(ctx, analyser[0], args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = grace
	stdout, stderr := &cappedBuffer{limit: maxVerdictBytes}, &cappedBuffer{limit: maxComplaintBytes}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	err := startNicely(cmd)
	if err != nil {
		err = fmt.Errorf("start the analysis: %w", err)
	} else {
		err = outcome(cmd.Wait(), stderr)
	}
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return nil, fmt.Errorf("the analysis was %w", context.Cause(ctx))
	}
	if err != nil {
		return nil, err
	}
	return stdout.Bytes(), nil
}

// outcome is nil where the analyser left a report.
func outcome(ended error, complaint *cappedBuffer) error {
	if exit, ok := errors.AsType[*exec.ExitError](ended); ok && exit.ExitCode() == exitPartial || ended == nil {
		return nil
	}
	return fmt.Errorf("the analysis ended with %w: %s", ended, strings.TrimSpace(complaint.String()))
}

// startNicely starts the command with the lowest priority. Priority belongs to a
// thread and a child inherits its creator's, so a thread of its own is made
// nice, starts the child and ends with its goroutine, being locked to it. The
// process' first thread never ends, and its priority is what others take for the
// process': it is held while another one does this.
func startNicely(cmd *exec.Cmd) error {
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if onFirstThread() {
			started <- startNicely(cmd)
			runtime.UnlockOSThread()
			return
		}
		lowerPriority()
		started <- cmd.Start()
	}()
	return <-started
}

// cappedBuffer keeps the first limit bytes and swallows the rest.
type cappedBuffer struct {
	bytes.Buffer
	limit int
}

// Write never fails.
func (b *cappedBuffer) Write(p []byte) (int, error) {
	if room := b.limit - b.Len(); room > 0 {
		b.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}
