package jmx_test

import (
	"encoding/base64"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/jmx"
	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

func TestFinalizerQueue(t *testing.T) {
	t.Parallel()
	const out = `Unreachable instances waiting for finalization\n#instances  class name\n-----------------------\n       200  b.Late\n       999  App$Fin\n       200  a.Early\n`
	agent := newFake(t, saying(200, `[{"value":"`+out+`","status":200}]`))
	q, err := client(t, agent.URL).FinalizerQueue(t.Context())
	require.NoError(t, err)
	assert.Equal(t, &jvm.FinalizerQueue{Classes: []jvm.ClassCount{{Class: "App$Fin", Count: 999}, {Class: "a.Early", Count: 200}, {Class: "b.Late", Count: 200}}}, q)
	it := agent.asked()[0][0]
	assert.Equal(t, "exec", it.Type)
	assert.Equal(t, "com.sun.management:type=DiagnosticCommand", it.MBean)
	assert.Equal(t, "gcFinalizerInfo", it.Operation)
	assert.Empty(t, it.Arguments)
}

func TestFinalizerInfoTexts(t *testing.T) {
	t.Parallel()
	assert.Equal(t, &jvm.FinalizerQueue{}, jmx.ParseFinalizerInfo("No instances waiting for finalization found\n"))
	assert.Equal(t, &jvm.FinalizerQueue{Disabled: true}, jmx.ParseFinalizerInfo("Finalization is disabled\n"))
	assert.Equal(t, &jvm.FinalizerQueue{}, jmx.ParseFinalizerInfo("-5 x\n1 2 3\n99999999999999999999 x\n0 x\n"))
	assert.Len(t, jmx.ParseFinalizerInfo(strings.Repeat("1 x\n", 5000)).Classes, 1000)
}

func TestUnknownOperation(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"jolokia-2.6.0-no-operation.json", "jolokia-1.7.2-no-operation.json"} {
		agent := newFake(t, saying(200, captured(t, file)))
		_, err := client(t, agent.URL).FinalizerQueue(t.Context())
		require.ErrorIs(t, err, jmx.ErrUnsupported, file)
	}
	agent := newFake(t, saying(200, `[{"status":403,"error":"java.lang.Exception : Operation gcFinalizerInfo forbidden"}]`))
	_, err := client(t, agent.URL).FinalizerQueue(t.Context())
	assert.Equal(t, jmx.ReasonDenied, jmx.Reason(err))
	assert.ErrorContains(t, err, "jolokia-access.xml")
}

func TestDumpHeap(t *testing.T) {
	t.Parallel()
	agent := newFake(t, saying(200, `[{"value":null,"status":200}]`))
	require.NoError(t, client(t, agent.URL).DumpHeap(t.Context(), "/dumps/a.hprof", true))
	it := agent.asked()[0][0]
	assert.Equal(t, "com.sun.management:type=HotSpotDiagnostic", it.MBean)
	assert.Equal(t, "dumpHeap(java.lang.String,boolean)", it.Operation)
	assert.Equal(t, []any{"/dumps/a.hprof", true}, it.Arguments)
}

func TestDumpHeapRefused(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"jolokia-2.6.0-dump-refused.json", "jolokia-1.7.2-dump-refused.json"} {
		agent := newFake(t, saying(200, captured(t, file)))
		err := client(t, agent.URL).DumpHeap(t.Context(), "/nodir/x.hprof", true)
		require.Error(t, err, file)
		assert.ErrorContains(t, err, "No such file or directory")
		assert.ErrorContains(t, err, "/nodir/x.hprof")
		assert.NotErrorIs(t, err, jmx.ErrUnsupported)
	}
}

func TestDumpHeapTakesCleanAbsolutePathsOnly(t *testing.T) {
	t.Parallel()
	agent := newFake(t, saying(200, `[{"value":null,"status":200}]`))
	c := client(t, agent.URL)
	for _, file := range []string{"", "a.hprof", "/a", "/a/../b.hprof", "/a/./b.hprof", "/a.hprof/"} {
		require.Error(t, c.DumpHeap(t.Context(), file, false), file)
	}
	assert.Empty(t, agent.asked())
}

func TestCredentialsTravelInTheHeader(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(file, []byte("first\n"), 0o600))
	var got []string
	agent := newFake(t, func(w http.ResponseWriter, r *http.Request, bulk []item) {
		got = append(got, strings.TrimPrefix(r.Header.Get("Authorization"), "Basic "))
		assert.Nil(t, r.URL.User)
		assert.Equal(t, "/jolokia/", r.URL.Path, "1.x answers 404 without the slash")
		replaying(t, captured(t, "jolokia-2.6.0-jdk17-g1.json"))(w, r, bulk)
	})
	basic := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

	_, err := client(t, strings.Replace(agent.URL, "http://", "http://bob:s3cret@", 1)+"/jolokia").Poll(t.Context())
	require.NoError(t, err)

	target, err := jvm.ParseTarget(agent.URL)
	require.NoError(t, err)
	target.Credentials = jvm.Credentials{Username: "bob", PasswordFile: file}
	c := jmx.New(target, jmx.Options{})
	_, err = c.Poll(t.Context())
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, []byte("second"), 0o600))
	_, err = c.Poll(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{basic("bob:s3cret"), basic("bob:first"), basic("bob:second")}, got)

	require.NoError(t, os.Remove(file))
	_, err = c.Poll(t.Context())
	assert.Equal(t, jmx.ReasonCredentials, jmx.Reason(err))
}
