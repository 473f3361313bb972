package main

import (
	"fmt"
	"io/fs"
	"net"
	"os"

	"github.com/apm-sidecar/apm-sidecar/internal/agent"
	"github.com/apm-sidecar/apm-sidecar/internal/config"
	"github.com/apm-sidecar/apm-sidecar/internal/web"
)

// newServer binds the address of the pages, guarded as configured.
func newServer(env environment, c config.Config, opts web.Options) (*web.Server, error) {
	server, err := web.New(pageOptions(env, c, opts))
	if err != nil {
		return nil, err
	}
	env.logger().Info("listening", "addr", server.Addr(), "url", pageURL(scheme(c.Web), server.Addr()))
	return server, nil
}

// pageOptions adds to what is shown where, and to whom.
func pageOptions(env environment, c config.Config, opts web.Options) web.Options {
	opts.Listen, opts.AnyName, opts.Logger = c.Listen, c.Web.AnyName(c.Listen), env.logger()
	opts.CertFile, opts.KeyFile = c.Web.CertFile, c.Web.KeyFile
	for _, u := range c.Web.Users {
		opts.Users = append(opts.Users, web.User{Name: u.Username, PasswordFile: u.PasswordFile, ReadOnly: u.ReadOnly})
	}
	return opts
}

// openReports opens the folder of the reports, which links don't lead out of; it is nil
// where no dumps are taken.
func openReports(c config.Capture) (fs.FS, func() error, error) {
	if !c.Enabled() {
		return nil, func() error { return nil }, nil
	}
	root, err := os.OpenRoot(c.Directory)
	if err != nil {
		return nil, nil, fmt.Errorf("capture.directory: %w", err)
	}
	return root.FS(), root.Close, nil
}

// rows are the targets as the pages show them.
func rows(targets []agent.TargetStatus) []web.Target {
	out := make([]web.Target, 0, len(targets))
	for _, t := range targets {
		out = append(out, web.Target(t))
	}
	return out
}

// pageURL is where a browser on this machine finds the pages.
func pageURL(scheme, addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err == nil && (host == "" || net.ParseIP(host).IsUnspecified()) {
		addr = net.JoinHostPort("localhost", port)
	}
	return scheme + "://" + addr + "/"
}

// withPortOf is listen as it was written, a name perhaps, with the port that was bound for it.
func withPortOf(bound, listen string) string {
	_, port, err := net.SplitHostPort(bound)
	host, _, errHost := net.SplitHostPort(listen)
	if err != nil || errHost != nil {
		return listen
	}
	return net.JoinHostPort(host, port)
}
