package harness

import (
	"context"
	"net"
)

// FreePort returns a port of 127.0.0.1 that was free a moment ago. Whoever uses
// it must be ready to lose the race for it.
func FreePort(ctx context.Context) (int, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	port := listener.Addr().(*net.TCPAddr).Port
	return port, listener.Close()
}
