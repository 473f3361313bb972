package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/config"
)

func TestAlertingFaults(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "url")
	require.NoError(t, os.WriteFile(secret, []byte("https://chat.example/token"), 0o600))
	for name, c := range map[string]struct{ text, want string }{
		"good":             {"notifiers: [{type: webhook, name: chat, url_file: " + secret + "}, {type: alertmanager, url: 'http://am:9093'}]", ""},
		"off":              {"enabled: false\n  interval: 0s", ""},
		"interval":         {"interval: 100ms", "alerting.interval 100ms is not between"},
		"wait":             {"group_wait: 0s", "alerting.group_wait 0s is shorter"},
		"external URL":     {"external_url: 'https://kim:pw@apm/'", "alerting.external_url"},
		"label":            {"group_by: [job, 'a b']", `group_by: "a b" is no label name`},
		"type":             {"notifiers: [{type: mail, url: 'http://a'}]", `notifiers[0] has type "mail"`},
		"no URL":           {"notifiers: [{type: webhook}]", "needs one of url and url_file"},
		"two URLs":         {"notifiers: [{type: webhook, url: 'http://a', url_file: " + secret + "}]", "needs one of url and url_file"},
		"missing file":     {"notifiers: [{type: webhook, url_file: /nowhere}]", "url_file: open /nowhere"},
		"two of one name":  {"notifiers: [{type: webhook, url: 'http://a/x'}, {type: webhook, url: 'http://a/y'}]", `another one is named "http://a"`},
		"missing password": {"notifiers: [{type: webhook, url: 'http://a', basic_auth: {username: kim}}]", "without password_file"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "c.yml")
			require.NoError(t, os.WriteFile(file, []byte("targets: [{url: 'http://a/'}]\nalerting:\n  "+c.text+"\n"), 0o600))
			got, err := config.Load(file, func(string) string { return "" })
			require.NoError(t, err)
			err = got.Validate()
			if c.want == "" {
				assert.NoError(t, err)
				return
			}
			assert.ErrorContains(t, err, c.want)
		})
	}
}
