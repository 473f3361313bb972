// Command heapscan analyses a Java heap dump: what fills the heap, who holds it,
// and what to do about it.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/apm-sidecar/apm-sidecar/internal/cores"
	"github.com/apm-sidecar/apm-sidecar/internal/term"
)

func main() {
	// The first signal asks the scan to stop; the next one ends the process, as
	// the default handling is back by then.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	cores.SpareOne()
	env := environment{stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv, asked: term.Asked()}
	os.Exit(int(run(ctx, env, os.Args[1:])))
}
