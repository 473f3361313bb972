package config_test

import (
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/config"
	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// write puts a configuration into a file of its own.
func write(t *testing.T, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "c.yaml")
	require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
	return file
}

func TestLoadEverything(t *testing.T) {
	t.Parallel()
	password := write(t, "s3cret")
	c, err := config.Load(write(t, `
targets:
  - url: http://127.0.0.1:8778/jolokia
  - url: https://app:8443/actuator/jolokia
    name: shop
    labels: {env: prod, instance: shop-1}
    username: bob
    password_file: `+password+`
interval: 1m30s
listen: "[::1]:9000"
data_dir: /var/lib/apm
retention: 90d
remote_write: [http://vm:8428/api/v1/write]
capture:
  directory: /dumps
  jvm_directory: /shared
  old_after_gc_ratio: 0.9
  cool_down: 2h
  live: true
  keep_dumps: 3
`), noEnv)
	require.NoError(t, err)
	require.NoError(t, c.Validate())
	assert.Equal(t, 90*time.Second, time.Duration(c.Interval))
	assert.Equal(t, 90*24*time.Hour, time.Duration(c.Retention))
	assert.Equal(t, "[::1]:9000", c.Listen)
	assert.Equal(t, "/var/lib/apm", c.DataDir)
	assert.Equal(t, []config.RemoteWrite{{URL: "http://vm:8428/api/v1/write"}}, c.RemoteWrite)
	assert.Equal(t, config.Capture{Directory: "/dumps", JVMDirectory: "/shared", OldAfterGCRatio: 0.9,
		CoolDown: config.Duration(2 * time.Hour), Live: true, KeepDumps: 3}, c.Capture)
	targets, err := c.JVMs()
	require.NoError(t, err)
	assert.Equal(t, []jvm.Target{
		{URL: "http://127.0.0.1:8778/jolokia/", Job: "jvm", Instance: "127.0.0.1:8778"},
		{URL: "https://app:8443/actuator/jolokia/", Job: "shop", Instance: "shop-1",
			Labels:      map[string]string{"env": "prod", "instance": "shop-1"},
			Credentials: jvm.Credentials{Username: "bob", PasswordFile: password}},
	}, targets)
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	for _, empty := range []string{"", "\n", "# nothing\n", "---\n", "{}"} {
		c, err := config.Load(write(t, empty), noEnv)
		require.NoError(t, err, "%q", empty)
		assert.Equal(t, config.Default(), c, "%q", empty)
	}
	c := config.Default()
	assert.Equal(t, "127.0.0.1:8429", c.Listen, "loopback unless asked otherwise")
	assert.False(t, c.Capture.Enabled())

	c, err := config.Load(write(t, "capture: {directory: /dumps}"), noEnv)
	require.NoError(t, err)
	assert.InDelta(t, 0.75, c.Capture.OldAfterGCRatio, 0, "the defaults beside a given field stay")
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	f := func(content, want string) {
		t.Helper()
		_, err := config.Load(write(t, content), noEnv)
		require.Error(t, err, content)
		assert.ErrorContains(t, err, want)
		assert.NotContains(t, err.Error(), "s3cret")
	}
	f("intervall: 1s", "intervall")
	f("targets:\n  - url: x\n    pasword: y", "[3:5]")
	f("interval: soon", "10s, 1m30s or 30d")
	f("retention: xd", "30d")
	f("capture:\n  keep_dumps: 1.5", "[2:15] \"1.5\" is no whole number\n     2 |   keep_dumps: 1.5")
	f("embedded: yes", "[1:11] true or false is wanted here\n     1 | embedded: yes")
	f("capture: {old_after_gc_ratio: half}", "[1:31] a number is wanted here")
	f("targets: [", "[1:")
	f("targets:\n  - url: http://bob:s3cret@h/\n    nope: 1", "[3:5]")
	f("interval: 1s\ninterval: 2s", "[2:1]")
	f("interval: 1s\n---\ninterval: 2s", "second document")
	f("interval: 1s\ndata_dir: caf\xe9\n", "line 2 is not in UTF-8\n     2 | data_dir: caf?")

	_, err := config.Load(filepath.Join(t.TempDir(), "none.yaml"), noEnv)
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestValidateNamesEveryFault(t *testing.T) {
	t.Parallel()
	c := config.Default()
	c.Targets = []config.Target{
		{URL: "http://h:1/"},
		{URL: "http://h:1/other"},
		{URL: "ftp://bob:s3cret@h/"},
		{URL: "http://h:2/", Labels: map[string]string{"a-b": "x", "pool": "y"}},
		{URL: "http://h:3/", Username: "bob"},
		{URL: "http://h:4/", PasswordFile: "/x"},
		{URL: "http://h:5/", Username: "bob", PasswordFile: "/does/not/exist"},
		{URL: "http://bob:s3cret@h:6/", BearerTokenFile: "/does/not/exist"},
		{URL: "https://h:7/", TLS: jvm.TLS{CertFile: "/c"}},
		{URL: "http://h:8/", TLS: jvm.TLS{InsecureSkipVerify: true}},
	}
	c.Interval = 0
	c.Listen = "8429"
	c.DataDir = ""
	c.Retention = config.Duration(time.Hour)
	c.SetRemoteWrite([]string{"http://ok/", "vm:8428", "http://bob:s3cret@ok/"})
	c.Capture = config.Capture{Directory: "/d", JVMDirectory: "rel", OldAfterGCRatio: 75, CoolDown: config.Duration(time.Second), KeepDumps: -1}
	err := c.Validate()
	require.Error(t, err)
	for _, want := range []string{
		"targets[1]: has the same name and instance as targets[0]", "targets[2]: the target is no http", `targets[3]: label "a-b"`, `targets[3]: label "pool" is taken`,
		"targets[4]: username without password_file", "targets[5]: password_file without username", "targets[6]: password_file: open /does/not/exist",
		"targets[7]: username and bearer_token_file exclude", "targets[7]: bearer_token_file: open", "targets[8]: one of tls_config.cert_file and key_file", "targets[9]: tls_config is given, but",
		"interval 0s", `listen "8429"`, "data_dir is empty", "retention 1h0m0s", "remote_write[1]", "remote_write[2] is the same receiver as remote_write[0]",
		"capture.jvm_directory", "capture.old_after_gc_ratio 75", "capture.cool_down 1s", "capture.keep_dumps -1",
	} {
		assert.ErrorContains(t, err, want)
	}
	assert.NotContains(t, err.Error(), "s3cret")

	require.ErrorContains(t, config.Default().Validate(), "no target")
	c = config.Default()
	c.SetTargets([]string{"http://h/"})
	c.Capture.JVMDirectory = "/x"
	require.ErrorContains(t, c.Validate(), "without capture.directory")
	c.Capture.Directory, c.Capture.OldAfterGCRatio = "/d", math.NaN()
	require.ErrorContains(t, c.Validate(), "capture.old_after_gc_ratio NaN", "no region is as full as that")
}

func TestLoadTakesTheByteOrderMark(t *testing.T) {
	t.Parallel()
	for _, content := range []string{"\ufeffinterval: 7s\n", "---\ninterval: 7s\n", "interval: 7s\n---\n"} {
		c, err := config.Load(write(t, content), noEnv)
		require.NoError(t, err, content)
		assert.Equal(t, config.Duration(7*time.Second), c.Interval, content)
	}
}

func TestEnvironmentOverridesTheFile(t *testing.T) {
	t.Parallel()
	c, err := config.Load(write(t, "targets: [{url: http://file/}]\ninterval: 5s\ndata_dir: /file"), noEnv)
	require.NoError(t, err)
	env := map[string]string{
		config.EnvTarget: "http://a/ http://b/", config.EnvInterval: "7s", config.EnvListen: "h:1",
		config.EnvRemoteWrite: "http://vm/",
	}
	require.NoError(t, c.ApplyEnv(func(k string) string { return env[k] }))
	assert.Equal(t, []config.Target{{URL: "http://a/"}, {URL: "http://b/"}}, c.Targets)
	assert.Equal(t, "7s", c.Interval.String())
	assert.Equal(t, "h:1", c.Listen)
	assert.Equal(t, "/file", c.DataDir, "unset variables change nothing")
	assert.Equal(t, []config.RemoteWrite{{URL: "http://vm/"}}, c.RemoteWrite)

	env[config.EnvInterval] = "x"
	require.ErrorContains(t, c.ApplyEnv(func(k string) string { return env[k] }), config.EnvInterval)
}

// noEnv is an environment without variables.
func noEnv(string) string { return "" }

func TestLoadRemoteWriteInBothForms(t *testing.T) {
	t.Parallel()
	c, err := config.Load(write(t, `
remote_write:
  - http://one/api/v1/write
  - url: https://two/insert/0/prometheus/api/v1/write
    basic_auth: {username: bob, password_file: /p}
    tls_config: {ca_file: /ca, cert_file: /c, key_file: /k, server_name: two.internal}
    headers: {X-Scope-OrgID: "7"}
    timeout: 5s
embedded: true
`), noEnv)
	require.NoError(t, err)
	assert.True(t, c.HasStore())
	assert.Equal(t, []config.RemoteWrite{
		{URL: "http://one/api/v1/write"},
		{URL: "https://two/insert/0/prometheus/api/v1/write", Timeout: config.Duration(5 * time.Second),
			BasicAuth: config.BasicAuth{Username: "bob", PasswordFile: "/p"},
			TLS:       jvm.TLS{CAFile: "/ca", CertFile: "/c", KeyFile: "/k", ServerName: "two.internal"},
			Headers:   map[string]string{"X-Scope-OrgID": "7"}},
	}, c.RemoteWrite)

	_, err = config.Load(write(t, "remote_write:\n  - url: http://h/\n    pasword: hush\n"), noEnv)
	require.ErrorContains(t, err, "3:5")
	assert.ErrorContains(t, err, "pasword")
}

func TestEnvironmentInTheFile(t *testing.T) {
	t.Parallel()
	env := map[string]string{"HOST": "shop:8778", "EVERY": "7s", "TWO": "a\nb"}
	getenv := func(name string) string { return env[name] }
	c, err := config.Load(write(t, "# not ${THIS}\ntargets: [{url: 'http://${HOST}/', name: \"${1}x\"}]\ninterval: %{EVERY}\n"), getenv)
	require.NoError(t, err)
	assert.Equal(t, "http://shop:8778/", c.Targets[0].URL)
	assert.Equal(t, "${1}x", c.Targets[0].Name)
	assert.Equal(t, 7*time.Second, time.Duration(c.Interval))

	_, err = config.Load(write(t, "data_dir: ${NOPE}\nlisten: ${TWO}"), getenv)
	assert.ErrorContains(t, err, "line 1: environment variable NOPE is not set")
	assert.ErrorContains(t, err, "line 2: environment variable TWO has several lines")
}

func TestErrorsShowTheLineWithoutSecrets(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]string{
		"interval: 5s\nintervall: 6s\n":              "2 | intervall: 6s",
		"targts: [{url: 'http://bob:hush@h/'}]":      "1 | targts: [{url: 'http://***@h/'}]",
		"targts: [{url: 'http://bob:no/hush@h/'}]":   "1 | targts: [{url: 'http://***@h/'}]",
		"passwords: hush":                            "1 | passwords: ***",
		"pass: hush":                                 "1 | pass: ***",
		"url: 'http://h/x?k=hush' # why":             "1 | url: 'http://h/x?***' # why",
		"interval: ${HUSH}x\n":                       "1 | interval: ${HUSH}x",
		"targets:\n  - {url: http://h/, nme: 'x'}\n": "2 |   - {url: http://h/, nme: 'x'}",
	} {
		_, err := config.Load(write(t, content), func(string) string { return "hush" })
		require.Error(t, err, content)
		assert.ErrorContains(t, err, want)
		assert.NotContains(t, err.Error(), "hush@")
		assert.NotContains(t, err.Error(), ": hush")
	}
}

func TestValidateDestinationsAndPages(t *testing.T) {
	t.Parallel()
	secret := write(t, "s")
	valid := func() config.Config {
		c := config.Default()
		c.SetTargets([]string{"http://h/"})
		return c
	}
	rw := func(r config.RemoteWrite) func(*config.Config) {
		return func(c *config.Config) { c.RemoteWrite = []config.RemoteWrite{r} }
	}
	basic := config.BasicAuth{Username: "bob", PasswordFile: secret}
	for name, c := range map[string]struct {
		change func(*config.Config)
		want   string // empty: valid
	}{
		"user":             {rw(config.RemoteWrite{URL: "http://h/", BasicAuth: basic}), ""},
		"two ways":         {rw(config.RemoteWrite{URL: "http://u:hush@h/", BasicAuth: basic}), "remote_write[0] has more than one"},
		"no password":      {rw(config.RemoteWrite{URL: "http://h/", BasicAuth: config.BasicAuth{Username: "b"}}), "without password_file"},
		"no such file":     {rw(config.RemoteWrite{URL: "http://h/", BearerTokenFile: "/nonexistent"}), "bearer_token_file: open /nonexistent"},
		"half certificate": {rw(config.RemoteWrite{URL: "https://h/", TLS: jvm.TLS{CertFile: secret}}), "without the other"},
		"tls over http":    {rw(config.RemoteWrite{URL: "http://h/", TLS: jvm.TLS{CAFile: secret}}), "begins with http://"},
		"two headers":      {rw(config.RemoteWrite{URL: "http://h/", Headers: map[string]string{"X-A": "hush\nX-B: c"}}), "headers: the value of X-A has a line break"},
		"no header":        {rw(config.RemoteWrite{URL: "http://h/", Headers: map[string]string{"X A": "hush"}}), `headers: "X A" is no name`},
		"loopback":         {func(c *config.Config) { c.Listen = "[::1]:1" }, ""},
		"localhost":        {func(c *config.Config) { c.Listen = "localhost:1" }, ""},
		"wide":             {func(c *config.Config) { c.Listen = "0.0.0.0:1" }, "web.users"},
		"wide, no host":    {func(c *config.Config) { c.Listen = ":1" }, "web.users"},
		"wide and open":    {func(c *config.Config) { c.Listen, c.Web.Open = ":1", true }, ""},
		"wide, users": {func(c *config.Config) {
			c.Listen, c.Web.Users = ":1", []config.User{{Username: "a", PasswordFile: secret}}
		}, ""},
		"same user": {func(c *config.Config) {
			c.Web.Users = []config.User{{Username: "a", PasswordFile: secret}, {Username: "a", PasswordFile: secret}}
		}, `user "a" is there already`},
		"half tls":     {func(c *config.Config) { c.Web.KeyFile = secret }, "belong together"},
		"small memory": {func(c *config.Config) { c.Store.Memory = 1 }, "store.memory"},
		"small queue":  {func(c *config.Config) { c.Store.Queue = 1 }, "store.queue"},
		"small margin": {func(c *config.Config) { c.Store.MinFreeDisk = 1 }, "store.min_free_disk"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := valid()
			c.change(&cfg)
			err := cfg.Validate()
			if c.want == "" {
				assert.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.want)
			assert.NotContains(t, err.Error(), "hush")
		})
	}
}

func TestBytes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]config.Bytes{"0": 0, "17": 17, "1KiB": 1024, "64MiB": 64 << 20, "2 GiB": 2 << 30} {
		var b config.Bytes
		require.NoError(t, b.Set(text), text)
		assert.Equal(t, want, b)
	}
	for _, text := range []string{"", "x", "-1", "1MB", "9999999999TiB"} {
		var b config.Bytes
		assert.Error(t, b.Set(text), text)
	}
}

func TestReloadedKeepsWhatCannotChange(t *testing.T) {
	t.Parallel()
	old := config.Default()
	next := old
	next.Interval, next.RemoteWrite, next.Web.Open = old.Interval*2, []config.RemoteWrite{{URL: "http://h/"}}, true
	taken, needRestart := old.Reloaded(next)
	assert.Equal(t, next, taken)
	assert.Empty(t, needRestart)

	next.Listen, next.Retention = "0.0.0.0:1", old.Retention*2
	taken, needRestart = old.Reloaded(next)
	assert.Equal(t, []string{"listen", "retention", "web"}, needRestart, "users of one address do not guard another")
	assert.Equal(t, old.Listen, taken.Listen)
	assert.Equal(t, old.Retention, taken.Retention)
	assert.Equal(t, old.Web, taken.Web)
	assert.Equal(t, next.RemoteWrite, taken.RemoteWrite)
}

// TestAnyName: pages on loopback answer to names of this machine alone, unless web.open says
// otherwise; whoever listens wider has names of all kinds.
func TestAnyName(t *testing.T) {
	t.Parallel()
	for _, loopback := range []string{"127.0.0.1:8429", "127.8.0.1:0", "[::1]:8429", "localhost:8429"} {
		assert.False(t, config.Web{}.AnyName(loopback), loopback)
		assert.True(t, config.Web{Open: true}.AnyName(loopback), loopback)
	}
	for _, wider := range []string{"0.0.0.0:0", ":8429", "[::]:8429", "10.1.2.3:8429", "apm.example.com:8429"} {
		assert.True(t, config.Web{}.AnyName(wider), wider)
	}
}
