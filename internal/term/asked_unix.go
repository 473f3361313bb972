//go:build unix

package term

import (
	"os"
	"os/signal"
	"syscall"
)

// Asked returns a channel that gets a value whenever the process is asked how far it
// is: SIGUSR1. From then on that signal no longer ends the process.
func Asked() <-chan os.Signal {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR1)
	return asked
}
