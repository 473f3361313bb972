// Command demo shows the whole chain on a leak that really happens: a web
// application on Tomcat with an old PostgreSQL driver fills its heap with closed
// statements; the sidecar sees it coming, takes a heap dump, and says why.
//
// It starts everything in a temporary folder and on free ports of 127.0.0.1, and
// leaves nothing behind. Exit codes: 0 verdict as expected or ended by Ctrl-C,
// 1 otherwise.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	once := flag.Bool("once", false, "exit after the verdict")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second Ctrl-C ends at once; the bench's guard cleans up.
	context.AfterFunc(ctx, stop)

	err := run(ctx, newPrinter(os.Stdout), *once)
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		err = nil // Ctrl-C is the usual way out
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}
