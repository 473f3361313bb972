package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/config"
)

// TestSpans: faults name their field, and never show a secret.
func TestSpans(t *testing.T) {
	t.Parallel()
	token := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(token, []byte("secret"), 0o600))
	for _, c := range []struct{ name, spans, fault string }{
		{"off", `{}`, ""},
		{"loopback", `{listen: "127.0.0.1:4318"}`, ""},
		{"token", `{listen: ":4318", bearer_token_file: ` + token + `}`, ""},
		{"open", `{listen: "0.0.0.0:4318", open: true}`, ""},
		{"export alone", `{export: {url: "http://traces:10428/insert/opentelemetry/v1/traces", headers: {a: b}}}`, ""},
		{"all", `{listen: "[::1]:4318", max_memory: 1GiB, services: {shop: jvm/a:1}, export: {url: "https://u@h/v1/traces", received: all, records: false, timeout: 3s}}`, ""},
		{"no port", `{listen: "127.0.0.1"}`, `transactions.spans.listen "127.0.0.1" is no host:port`},
		{"everyone", `{listen: ":4318"}`, `transactions.spans.listen ":4318" can be reached by others`},
		{"no such token", `{listen: ":4318", bearer_token_file: /nonexistent}`, "transactions.spans.bearer_token_file: open /nonexistent"},
		{"half a certificate", `{listen: "127.0.0.1:4318", cert_file: ` + token + `}`, "transactions.spans.cert_file and key_file belong together"},
		{"small", `{max_memory: 1KiB}`, "transactions.spans.max_memory 1.00 KiB is less than 1.00 MiB"},
		{"nobody", `{services: {shop: ""}}`, `transactions.spans.services["shop"]`},
		{"unknown word", `{export: {received: some}}`, `transactions.spans.export.received "some": write slow, all or none`},
		{"no URL", `{export: {url: "ftp://user:secret@h"}}`, "transactions.spans.export is no http or https URL"},
		{"two proofs", `{export: {url: "http://user:secret@h", bearer_token_file: ` + token + `}}`, "transactions.spans.export has more than one of"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "c.yml")
			require.NoError(t, os.WriteFile(file, []byte("targets: [{url: 'http://127.0.0.1:1/'}]\ntransactions: {spans: "+c.spans+"}\n"), 0o600))
			got, err := config.Load(file, func(string) string { return "" })
			require.NoError(t, err)
			err = got.Validate()
			if c.fault == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.fault)
			assert.NotContains(t, err.Error(), "secret")
		})
	}
}

// TestSpansNeedTransactions: there would be nothing to join them to.
func TestSpansNeedTransactions(t *testing.T) {
	t.Parallel()
	c := config.Default()
	c.Targets = []config.Target{{URL: "http://127.0.0.1:1/"}}
	c.Transactions.Enabled, c.Transactions.Spans.Listen = false, "127.0.0.1:4318"
	require.ErrorContains(t, c.Validate(), "transactions.spans needs transactions.enabled")
}
