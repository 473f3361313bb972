// Command apm-sidecar watches Java virtual machines through their Jolokia agents
// and stores what it sees in VictoriaMetrics.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	_ "github.com/apm-sidecar/apm-sidecar/internal/vmlog/early" // before VictoriaMetrics' packages say what nobody needs
)

func main() {
	// The first signal asks for an orderly end; the next one ends the process at
	// once, as the default handling is back by then.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	env := environment{stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv, exit: os.Exit}
	os.Exit(int(run(ctx, env, os.Args[1:])))
}
