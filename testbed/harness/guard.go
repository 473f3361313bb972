package harness

import (
	_ "embed"
	"fmt"
	"io"
	"os/exec"
	"syscall"
)

//go:embed guard.sh
var guardScript string

// guard is the process that cleans up when this one dies uncleanly.
type guard struct {
	cmd    *exec.Cmd
	orders io.WriteCloser
}

// startGuard has folder removed when this process dies.
func startGuard(folder string) (*guard, error) {
	cmd := exec.Command("sh", "-c", guardScript, "guard.sh", folder) //nolint:noctx // it must outlive every context
	// Its own group: what stops this process must not stop the guard.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	orders, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("guard: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("guard: %w", err)
	}
	return &guard{cmd: cmd, orders: orders}, nil
}

// watch has the process group signalled when this process dies. signal is a
// name that kill(1) knows, such as "KILL".
func (g *guard) watch(signal string, group int) error {
	_, err := fmt.Fprintf(g.orders, "%s %d\n", signal, group)
	return err
}

// dismiss ends the guard; nothing is cleaned up any more.
func (g *guard) dismiss() {
	_ = g.cmd.Process.Kill()
	_ = g.cmd.Wait() // says "killed"
}
