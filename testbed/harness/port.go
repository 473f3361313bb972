package harness

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
)

// Ports that no system hands out by itself, neither for clients nor for port 0: Linux'
// begin at 32768, those of others later. A program that is to listen on one of them
// competes with nobody but those who ask for a certain port.
const firstPort, endPort = 10240, 32768

// portAttempts is how often another port is tried when one was taken.
const portAttempts = 5

// FreePort returns a port of 127.0.0.1 that was free a moment ago. Whoever uses
// it must be ready to lose the race for it.
func FreePort(ctx context.Context) (int, error) {
	var config net.ListenConfig
	var err error
	for range portAttempts {
		port := firstPort + rand.IntN(endPort-firstPort)
		var listener net.Listener
		if listener, err = config.Listen(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			return port, listener.Close()
		}
	}
	return 0, err
}
