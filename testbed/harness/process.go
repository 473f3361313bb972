package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"time"
)

const (
	// pollInterval is the pace at which a condition is checked again.
	pollInterval = 20 * time.Millisecond
	// logTailBytes is how much of a process' output goes into an error.
	logTailBytes = 2000
)

// errEnded says that a process ended that something was expected of.
var errEnded = errors.New("it ended")

// Command says what to start.
type Command struct {
	// Name is short and shows in messages and in the name of the log file.
	Name string
	// Path is the program, Args its arguments without the program's name.
	Path string
	Args []string
	// Env is added to this process' environment.
	Env []string
	// Credential is the user to run as; nil is the present one.
	Credential *syscall.Credential
	// StopSignal asks the process to end; 0 is SIGTERM. SIGKILL follows.
	StopSignal syscall.Signal
	// AbandonSignal is what it gets when the bench's owner died; 0 is SIGKILL.
	AbandonSignal syscall.Signal
}

// abandonSignal is the name of AbandonSignal for kill(1).
func (c Command) abandonSignal() string {
	if c.AbandonSignal == syscall.SIGQUIT {
		return "QUIT"
	}
	return "KILL"
}

// Process is a running, or ended, child in a process group of its own.
type Process struct {
	name       string
	logPath    string
	pid        int
	stopSignal syscall.Signal
	ended      chan struct{} // closed when the process is gone
	err        error         // how it ended; read only after ended
}

// startProcess starts c with both outputs going to the file log.
func startProcess(c Command, log string) (*Process, error) {
	output, err := os.Create(log) // below the bench's folder
	if err != nil {
		return nil, err
	}
	defer output.Close() // the child has its own descriptor

	cmd := exec.Command(c.Path, c.Args...) //nolint:noctx // ended by Stop, which is kinder than a context
	cmd.Stdout, cmd.Stderr = output, output
	cmd.Env = append(os.Environ(), c.Env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: c.Credential}
	setDeathSignal(cmd.SysProcAttr, c.AbandonSignal)

	p := &Process{name: c.Name, logPath: log, stopSignal: c.StopSignal, ended: make(chan struct{})}
	if p.stopSignal == 0 {
		p.stopSignal = syscall.SIGTERM
	}
	started := make(chan error, 1)
	go func() {
		// The kernel sends the death signal when the thread that started the
		// child ends, so that thread stays with the child.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if err == nil {
			p.pid = cmd.Process.Pid
		}
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			close(p.ended)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("%s: %w", c.Name, err)
	}
	return p, nil
}

// PID is the process id, which is also the id of the process group.
func (p *Process) PID() int { return p.pid }

// Ended is closed when the process has ended.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// AwaitOutput waits until the output so far matches pattern and returns the
// match with its groups. It fails when the process ends first, or with ctx;
// the error then shows the end of the output.
func (p *Process) AwaitOutput(ctx context.Context, pattern *regexp.Regexp) ([]string, error) {
	var match []string
	err := Poll(ctx, func() (bool, error) {
		gone := false
		select {
		case <-p.ended:
			gone = true
		default:
		}
		output, err := os.ReadFile(p.logPath)
		if err != nil {
			return false, err
		}
		match = pattern.FindStringSubmatch(string(output))
		if match == nil && gone {
			return false, errors.Join(errEnded, p.err)
		}
		return match != nil, nil
	})
	if err != nil {
		return nil, fmt.Errorf("%s: waiting for %q: %w\n%s", p.name, pattern, err, p.Tail())
	}
	return match, nil
}

// Tail is the end of the output so far.
func (p *Process) Tail() string {
	output, err := os.ReadFile(p.logPath)
	if err != nil {
		return err.Error()
	}
	output = bytes.TrimSpace(output)
	if len(output) > logTailBytes {
		output = output[len(output)-logTailBytes:]
	}
	return "  | " + strings.ReplaceAll(string(output), "\n", "\n  | ")
}

// Stop asks the process to end, kills it after grace, and kills what is left
// of its group. It waits for the end. It is no error if it ended before.
func (p *Process) Stop(grace time.Duration) error {
	select {
	case <-p.ended: // its id may belong to another process by now
		return nil
	default:
	}
	if err := syscall.Kill(p.pid, p.stopSignal); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("%s: stop: %w", p.name, err)
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.ended:
		p.killGroup()
		return nil
	case <-timer.C:
		p.killGroup()
		<-p.ended
		return fmt.Errorf("%s: did not end within %v and was killed\n%s", p.name, grace, p.Tail())
	}
}

// killGroup kills what is left of the group; nothing left is fine.
func (p *Process) killGroup() { _ = syscall.Kill(-p.pid, syscall.SIGKILL) }

// withStartTimeout limits the start of a program.
func withStartTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, startTimeout, fmt.Errorf("not up within %v", startTimeout))
}

// Poll calls check at a steady pace until it says true or fails, or ctx ends.
func Poll(ctx context.Context, check func() (bool, error)) error {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		done, err := check()
		if done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
}
