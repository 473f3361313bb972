package jvm_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

func TestParseTarget(t *testing.T) {
	t.Parallel()
	f := func(raw, wantURL, wantInstance, wantCredentials string) {
		t.Helper()
		got, err := jvm.ParseTarget(raw)
		require.NoError(t, err, raw)
		assert.Equal(t, wantURL, got.URL)
		assert.Equal(t, wantInstance, got.Instance)
		assert.Equal(t, wantCredentials, got.Credentials.String())
	}
	f("http://h:8778/jolokia", "http://h:8778/jolokia/", "h:8778", "none")
	f("http://h:8778/jolokia/", "http://h:8778/jolokia/", "h:8778", "none")
	f("http://h:8778", "http://h:8778/jolokia/", "h:8778", "none")
	f("https://h/actuator/jolokia", "https://h/actuator/jolokia/", "h", "none")
	f("http://[::1]:8778/jolokia", "http://[::1]:8778/jolokia/", "[::1]:8778", "none")
	f("http://bob:s3cret@h:1/jolokia", "http://h:1/jolokia/", "h:1", "bob:***")
}

func TestParseTargetErrorsHideThePassword(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{
		"", "h:8778", "127.0.0.1:8778/jolokia", "ftp://bob:s3cret@h/jolokia",
		"http://bob:s3cret@h:port/", "http://bob:s3cret@h/\x7f", "http://bob:s3cret@h/?a=b",
		"http:///jolokia", "service:jmx:rmi://bob:s3cret@h/", "http://bob:s3cret@h:99999/", "http://bob:s3cret@h:0/",
	} {
		_, err := jvm.ParseTarget(raw)
		require.Error(t, err, raw)
		assert.NotContains(t, err.Error(), "s3cret", raw)
	}
}

func TestCredentialsNeverPrintThePassword(t *testing.T) {
	t.Parallel()
	target, err := jvm.ParseTarget("http://bob:s3cret@h/")
	require.NoError(t, err)
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "credentials", target.Credentials, "target", target)
	printed := log.String() + fmt.Sprintf("%v %+v %#v %s", target, target, target, target.Credentials)
	assert.NotContains(t, printed, "s3cret")
	assert.Contains(t, printed, "bob")
}
