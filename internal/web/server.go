// Package web is the HTTP server of the sidecar: its own pages, health and
// metrics, and in front of the store's reading routes.
//
// Start order: New binds the address, so call it before anything is polled, and
// a taken port ends the program at once; then Run. Stop order: cancel the
// context of Run and wait for it before the store closes.
package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 15 * time.Second
	// writeTimeout leaves room for the longest query (30 s) and a large export.
	writeTimeout   = 5 * time.Minute
	idleTimeout    = 2 * time.Minute
	maxHeaderBytes = 64 << 10
	// shutdownTimeout is how long running requests may take after the end.
	shutdownTimeout = 2 * time.Second
)

// Options are the parts the server shows.
type Options struct {
	// Listen is host:port to bind; port 0 takes a free one. An empty host means
	// every interface: the caller decides. Required.
	Listen string
	// CertFile and KeyFile make the server speak TLS; they are read again when they
	// change.
	CertFile, KeyFile string
	// Users may see the pages; without any, everyone may.
	Users []User
	// AnyName has the pages answer to any name also without users, not only to those of this
	// machine.
	AnyName bool
	// Logger receives errors of the server; nil discards them.
	Logger *slog.Logger
	// Store answers /api/, /prometheus/ and /vmui/; nil when there is none.
	Store http.Handler
	// Metrics writes the self metrics in Prometheus text form; those of the process
	// (go_*, process_*) come on top. Required.
	Metrics func(io.Writer)
	// Targets are the JVMs watched; nil where there are none to show.
	Targets func() []Target
	// Reload has the configuration read again; nil where that cannot be done.
	Reload func() error
	// Notes say what people should know now: that a new configuration is refused, and why,
	// or that a receiver takes no samples. Nil where there is nothing to speak of.
	Notes func() []string
	// Ready tells why the sidecar is not ready yet; nil when it is. Its text is
	// shown to everyone who can reach the server. Required.
	Ready func() error
	// Evidence is what was kept of each target that has any, by its name, oldest
	// first; nil where there is none.
	Evidence func() map[string][]jvm.Evidence
	// Reports is the folder with the reports on heap dumps; nil where none are taken.
	// Nothing but the reports' pages is shown of it.
	Reports fs.FS
	// Alerts are shown at /alerts; nil where no rules are evaluated.
	Alerts Alerts
	// Transactions answers /api/transactions; nil where they are not followed.
	Transactions Transactions
}

// Validate joins all faults of the options.
func (o Options) Validate() error {
	var errs []error
	if o.Listen == "" {
		errs = append(errs, errors.New("web: no address to listen on"))
	}
	if o.Metrics == nil {
		errs = append(errs, errors.New("web: no metrics"))
	}
	if o.Ready == nil {
		errs = append(errs, errors.New("web: no readiness"))
	}
	return errors.Join(errs...)
}

// Server is bound to its address from New on and answers during Run.
type Server struct {
	listener net.Listener
	http     *http.Server
	front    *atomic.Pointer[front]
}

// New binds the address.
func New(opts Options) (*Server, error) {
	b, err := opts.binding()
	if err != nil {
		return nil, err
	}
	s, err := Bind(b)
	var taken *net.OpError
	if errors.As(err, &taken) {
		err = fmt.Errorf("%w; choose another address by --listen, 127.0.0.1:0 takes any free port", err)
	}
	return s, err
}

// Update has the server show other parts, to other users, with another certificate or
// none, from the next request on. The address stays, whatever opts say of it. On an error
// all stays as it was.
func (s *Server) Update(opts Options) error {
	b, err := opts.binding()
	if err != nil {
		return err
	}
	f, err := newFront(b)
	if err != nil {
		return err
	}
	s.front.Store(f)
	return nil
}

// binding is the guarded handler of the options.
func (o Options) binding() (Binding, error) {
	if err := o.Validate(); err != nil {
		return Binding{}, err
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	// A page of another origin that a browser has open must not send requests.
	handler := http.NewCrossOriginProtection().Handler(newMux(o))
	return Binding{
		Listen: o.Listen, CertFile: o.CertFile, KeyFile: o.KeyFile,
		Handler: withHeaders(withHosts(o, withUsers(o.Users, handler))), Logger: o.Logger,
	}, nil
}

// Binding is an address and who answers there; all but the certificate is required.
type Binding struct {
	// Listen is host:port to bind; port 0 takes a free one.
	Listen string
	// CertFile and KeyFile make the server speak TLS; they are read again when they
	// change.
	CertFile, KeyFile string
	Handler           http.Handler
	Logger            *slog.Logger
}

// Bind binds an address for any handler.
func Bind(b Binding) (*Server, error) {
	f, err := newFront(b)
	if err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "tcp", b.Listen)
	if err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	current := &atomic.Pointer[front]{}
	current.Store(f)
	return &Server{
		listener: listener{l, current},
		front:    current,
		http: &http.Server{
			Handler:           serveFront(current),
			ReadHeaderTimeout: readHeaderTimeout,
			ReadTimeout:       readTimeout,
			WriteTimeout:      writeTimeout,
			IdleTimeout:       idleTimeout,
			MaxHeaderBytes:    maxHeaderBytes,
			ErrorLog:          slog.NewLogLogger(b.Logger.Handler(), slog.LevelWarn),
		},
	}, nil
}

// Addr is the bound address, host:port.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Close gives the address of a server free that was never run.
func (s *Server) Close() error { return s.listener.Close() }

// Run serves until ctx ends, then lets running requests finish for at most two
// seconds. It returns nil when ctx ended it. A Server runs once.
func (s *Server) Run(ctx context.Context) error {
	served := make(chan error, 1)
	go func() { served <- s.http.Serve(s.listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("web: %w", err)
	case <-ctx.Done():
	}
	stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	err := s.http.Shutdown(stopCtx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.http.Close()
	}
	if e := <-served; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	if err != nil {
		return fmt.Errorf("web: shut down: %w", err)
	}
	return nil
}
