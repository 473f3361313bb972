package config_test

import (
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
`))
	require.NoError(t, err)
	require.NoError(t, c.Validate())
	assert.Equal(t, 90*time.Second, time.Duration(c.Interval))
	assert.Equal(t, 90*24*time.Hour, time.Duration(c.Retention))
	assert.Equal(t, "[::1]:9000", c.Listen)
	assert.Equal(t, "/var/lib/apm", c.DataDir)
	assert.Equal(t, []string{"http://vm:8428/api/v1/write"}, c.RemoteWrite)
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
		c, err := config.Load(write(t, empty))
		require.NoError(t, err, "%q", empty)
		assert.Equal(t, config.Default(), c, "%q", empty)
	}
	c := config.Default()
	assert.Equal(t, "127.0.0.1:8429", c.Listen, "loopback unless asked otherwise")
	assert.False(t, c.Capture.Enabled())

	c, err := config.Load(write(t, "capture: {directory: /dumps}"))
	require.NoError(t, err)
	assert.InDelta(t, 0.75, c.Capture.OldAfterGCRatio, 0, "the defaults beside a given field stay")
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	f := func(content, want string) {
		t.Helper()
		_, err := config.Load(write(t, content))
		require.Error(t, err, content)
		assert.ErrorContains(t, err, want)
		assert.NotContains(t, err.Error(), "s3cret")
	}
	f("intervall: 1s", "intervall")
	f("targets:\n  - url: x\n    pasword: y", "[3:5]")
	f("interval: soon", "10s, 1m30s or 30d")
	f("retention: xd", "30d")
	f("targets: [", "[1:")
	f("targets:\n  - url: http://bob:s3cret@h/\n    nope: 1", "[3:5]")
	f("interval: 1s\ninterval: 2s", "[2:1]")

	_, err := config.Load(filepath.Join(t.TempDir(), "none.yaml"))
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
	}
	c.Interval = 0
	c.Listen = "8429"
	c.DataDir = ""
	c.Retention = config.Duration(time.Hour)
	c.RemoteWrite = []string{"http://ok/", "vm:8428"}
	c.Capture = config.Capture{Directory: "/d", JVMDirectory: "rel", OldAfterGCRatio: 75, CoolDown: config.Duration(time.Second), KeepDumps: -1}
	err := c.Validate()
	require.Error(t, err)
	for _, want := range []string{
		"targets[1]: has the same name and instance as targets[0]", "targets[2]: the target is no http", `targets[3]: label "a-b"`, `targets[3]: label "pool" is taken`,
		"targets[4]: username without password_file", "targets[5]: password_file without username", "targets[6]: password_file: open /does/not/exist",
		"interval 0s", `listen "8429"`, "data_dir is empty", "retention 1h0m0s", "remote_write[1]",
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
}

func TestEnvironmentOverridesTheFile(t *testing.T) {
	t.Parallel()
	c, err := config.Load(write(t, "targets: [{url: http://file/}]\ninterval: 5s\ndata_dir: /file"))
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
	assert.Equal(t, []string{"http://vm/"}, c.RemoteWrite)

	env[config.EnvInterval] = "x"
	require.ErrorContains(t, c.ApplyEnv(func(k string) string { return env[k] }), config.EnvInterval)
}
