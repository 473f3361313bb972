package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/apm-sidecar/apm-sidecar/internal/config"
)

const (
	healthTimeout = 3 * time.Second
	// maxHealthBytes is how much of an answer is shown.
	maxHealthBytes = 1 << 10
)

// newHealthCommand builds "apm-sidecar health".
func newHealthCommand(env environment) *cobra.Command {
	listen, ready := config.Default().Listen, false
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Ask a running sidecar of this host whether it is well, for probes",
		Long: `health asks the sidecar that listens on this host whether its process lives, or with
--ready whether each of its targets was polled. It needs no password and takes plain
HTTP as well as TLS. The exit status is 1 where the answer is no, or none.`,
		Args: noArguments,
	}
	cmd.Flags().StringVar(&listen, "listen", listen, "`host:port` of the sidecar's pages, also "+config.EnvListen)
	cmd.Flags().BoolVar(&ready, "ready", false, "whether it is ready, not only alive")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if v := env.getenv(config.EnvListen); v != "" && !cmd.Flags().Changed("listen") {
			listen = v
		}
		path := "-/healthy"
		if ready {
			path = "-/ready"
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), healthTimeout)
		defer cancel()
		said, err := askHealth(ctx, "http", listen, path)
		if err != nil {
			var secured error
			if said, secured = askHealth(ctx, "https", listen, path); secured != nil {
				return errors.Join(err, secured)
			}
		}
		_, err = fmt.Fprintln(env.stdout, said)
		return err
	}
	return cmd
}

// askHealth is what the sidecar says of itself.
func askHealth(ctx context.Context, scheme, listen, path string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, pageURL(scheme, listen)+path, nil)
	if err != nil {
		return "", usagef("--listen %q is no host:port, such as %s", listen, config.Default().Listen)
	}
	// It is asked on this host, shows nothing secret and gets nothing secret: whose
	// certificate it is does not matter.
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(r)
	if err != nil {
		return "", fmt.Errorf("%s: %w", scheme, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxHealthBytes))
	said := strings.TrimSpace(string(text))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: status %d: %s", scheme, resp.StatusCode, said)
	}
	return said, err
}
