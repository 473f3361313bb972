package config

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// Spans steers what is done with the spans that applications send of themselves.
type Spans struct {
	// Listen is the host:port where spans are taken by OTLP/HTTP; none are without it.
	Listen string `yaml:"listen"`
	// BearerTokenFile has the token that senders must show; it is read again for each
	// request.
	BearerTokenFile string `yaml:"bearer_token_file"`
	// CertFile and KeyFile make the receiver speak TLS.
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`
	// Open allows an address beyond loopback without a token.
	Open bool `yaml:"open"`
	// MaxMemory bounds the spans of requests that are not decided on yet.
	MaxMemory Bytes `yaml:"max_memory"`
	// Services names the targets, as job/instance, of the spans of a service.name, where
	// process.pid with host.name, or service.instance.id, do not tell them.
	Services map[string]string `yaml:"services"`
	// Export sends spans on.
	Export SpanExport `yaml:"export"`
}

// SpanExport is an OTLP/HTTP backend.
type SpanExport struct {
	// URL is where spans are posted, such as http://127.0.0.1:4318/v1/traces; none are
	// without it.
	URL string `yaml:"url"`
	// Received says which of the spans that came are sent on: slow (those of slow
	// requests), all or none.
	Received string `yaml:"received"`
	// Records sends slow transactions as spans.
	Records         bool              `yaml:"records"`
	BasicAuth       BasicAuth         `yaml:"basic_auth"`
	BearerTokenFile string            `yaml:"bearer_token_file"`
	TLS             jvm.TLS           `yaml:"tls_config"`
	Headers         map[string]string `yaml:"headers"`
	// Timeout bounds one request.
	Timeout Duration `yaml:"timeout"`
}

// What Received may be.
const (
	ReceivedSlow = "slow"
	ReceivedAll  = "all"
	ReceivedNone = "none"
)

// minSpanMemory is the least room for spans.
const minSpanMemory Bytes = 1 << 20

func defaultSpans() Spans {
	return Spans{MaxMemory: 64 << 20, Export: SpanExport{Received: ReceivedSlow, Records: true}}
}

// Receiver is the backend in the words of other receivers.
func (e SpanExport) Receiver() RemoteWrite {
	return RemoteWrite{URL: e.URL, BasicAuth: e.BasicAuth, BearerTokenFile: e.BearerTokenFile, TLS: e.TLS, Headers: e.Headers, Timeout: e.Timeout}
}

// faults are what stands against the settings; followed says that transactions are.
func (s Spans) faults(followed bool) []error {
	var errs []error
	fault := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("transactions.spans."+format, args...))
	}
	if (s.Listen != "" || s.Export.URL != "") && !followed {
		return []error{errors.New("transactions.spans needs transactions.enabled: spans are joined to transactions")}
	}
	if s.Listen != "" {
		host, port, err := net.SplitHostPort(s.Listen)
		switch {
		case err != nil || port == "":
			fault("listen %q is no host:port, such as 127.0.0.1:4318", s.Listen)
		case !isLoopback(host) && s.BearerTokenFile == "" && !s.Open:
			fault("listen %q can be reached by others: give transactions.spans.bearer_token_file, or allow everyone by transactions.spans.open: true", s.Listen)
		}
	}
	for _, err := range []error{
		readable("bearer_token_file", s.BearerTokenFile), readable("cert_file", s.CertFile), readable("key_file", s.KeyFile),
	} {
		if err != nil {
			fault("%w", err)
		}
	}
	if (s.CertFile == "") != (s.KeyFile == "") {
		fault("cert_file and key_file belong together")
	}
	if s.MaxMemory < minSpanMemory {
		fault("max_memory %s is less than %s", s.MaxMemory, minSpanMemory)
	}
	for _, service := range slices.Sorted(maps.Keys(s.Services)) {
		if service == "" || s.Services[service] == "" {
			fault("services[%q]: write service.name: job/instance of the target", service)
		}
	}
	if !slices.Contains([]string{ReceivedSlow, ReceivedAll, ReceivedNone}, s.Export.Received) {
		fault("export.received %q: write slow, all or none", s.Export.Received)
	}
	if s.Export.URL != "" {
		if err := s.Export.Receiver().fault(); err != nil {
			fault("export %w", err)
		}
	}
	return errs
}
