package jmx_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestServesOneAtATime tells an agent that one slow client blocks from one that takes
// clients side by side, and from one that is slow for everyone.
func TestServesOneAtATime(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		single bool
		takes  time.Duration
		want   bool
	}{
		"one at a time":     {single: true, want: true},
		"side by side":      {},
		"slow for everyone": {takes: time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			t.Cleanup(func() { _ = listener.Close() })
			go func() {
				for {
					conn, err := listener.Accept()
					if err != nil {
						return
					}
					if tc.single {
						answerVersion(conn, tc.takes)
					} else {
						go answerVersion(conn, tc.takes)
					}
				}
			}()
			single, err := client(t, "http://"+listener.Addr().String()).ServesOneAtATime(t.Context())
			require.NoError(t, err)
			assert.Equal(t, tc.want, single)
		})
	}
}

// answerVersion answers one request after a time, or gives up when its client has.
func answerVersion(conn net.Conn, takes time.Duration) {
	defer conn.Close()
	request, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return
	}
	if _, err := io.Copy(io.Discard, request.Body); err != nil {
		return
	}
	if takes > 0 {
		_ = conn.SetReadDeadline(time.Now().Add(takes))
		_, _ = conn.Read(make([]byte, 1)) // until the client hangs up
		return
	}
	_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: "+strconv.Itoa(len(versionAnswer))+"\r\nConnection: close\r\n\r\n"+versionAnswer)
}

// TestDoor: an agent that takes GET alone, and one at another path.
func TestDoor(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /guarded/version", func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user+":"+password != "bob:s3cret" {
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, `{"status":200,"value":{"agent":"2.6.0","protocol":"8.0"}}`)
	})
	mux.HandleFunc("GET /broken/version", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, versionAnswer)
	})
	mux.HandleFunc("GET /page/version", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") })
	mux.HandleFunc("POST /actuator/jolokia/{$}", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, versionAnswer) })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	with := strings.Replace(server.URL, "//", "//bob:s3cret@", 1)
	assert.True(t, client(t, with+"/guarded/").TakesGET(t.Context()))
	assert.False(t, client(t, server.URL+"/guarded/").TakesGET(t.Context()), "without the password")
	assert.False(t, client(t, with+"/broken/").TakesGET(t.Context()), "no success")
	assert.False(t, client(t, with+"/page/").TakesGET(t.Context()), "no agent")
	assert.False(t, client(t, "http://127.0.0.1:1/").TakesGET(t.Context()))
	assert.Equal(t, server.URL+"/actuator/jolokia/", client(t, with).Elsewhere(t.Context()))
	assert.Empty(t, client(t, server.URL+"/actuator/jolokia/").Elsewhere(t.Context()))
}

// TestAllows: a policy refuses what it does not know, who guards the MBeans behind the agent only
// what there is.
func TestAllows(t *testing.T) {
	t.Parallel()
	const (
		refused = `{"status":403,"error_type":"java.lang.Exception","error":"User not authorized"}`
		failed  = `{"status":500,"error_type":"java.lang.IllegalArgumentException","error":"VM option \"apm-sidecar-none\" does not exist"}`
		absent  = `{"status":404,"error_type":"javax.management.InstanceNotFoundException","error":"none"}`
	)
	f := func(denies func(kind, mbean string) bool, want ...string) {
		t.Helper()
		agent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var bulk []struct{ Type, MBean string }
			assert.NoError(t, json.NewDecoder(r.Body).Decode(&bulk))
			switch it := bulk[0]; {
			case denies(it.Type, it.MBean):
				_, _ = io.WriteString(w, "["+refused+"]")
			case strings.HasPrefix(it.MBean, "apm-sidecar:"):
				_, _ = io.WriteString(w, "["+absent+"]")
			default:
				_, _ = io.WriteString(w, "["+failed+"]")
			}
		}))
		t.Cleanup(agent.Close)
		allowed, err := client(t, agent.URL).Allows(t.Context())
		require.NoError(t, err)
		assert.Equal(t, want, allowed)
	}
	f(func(string, string) bool { return false }, "exec", "write", "read", "search")
	f(func(string, string) bool { return true })
	f(func(kind, _ string) bool { return kind != "read" }, "read")
	// Artemis: no MBean may be changed that there is.
	f(func(kind, mbean string) bool {
		return (kind == "exec" || kind == "write") && !strings.HasPrefix(mbean, "apm-sidecar:")
	}, "read", "search")
}

// TestDenied: what a policy denies stands where its value would, in each form that agents have.
func TestDenied(t *testing.T) {
	t.Parallel()
	const (
		refused    = `{"error_type":"java.lang.SecurityException",".error":true,"error":"Reading attribute x is forbidden"}`
		refusedBy1 = `"ERROR: Reading attribute x is forbidden for MBean y (class java.lang.SecurityException)"`
		broken     = `{"error_type":"java.lang.IllegalStateException",".error":true,"error":"x"}`
	)
	tried := map[string][]any{}
	agent := newFake(t, func(w http.ResponseWriter, r *http.Request, bulk []item) {
		if it := bulk[0]; it.Type == "exec" {
			tried[it.Operation] = it.Arguments
		}
		answer := `{"status":404,"error_type":"javax.management.InstanceNotFoundException","error":"none"}`
		switch it := bulk[0]; {
		case it.Operation == "findDeadlockedThreads()":
			answer = `{"status":403,"error_type":"java.lang.Exception","error":"Operation findDeadlockedThreads() forbidden"}`
		case it.Type == "exec":
			answer = `{"status":400,"error_type":"java.lang.IllegalArgumentException","error":"Unknown argument 'none' in diagnostic command."}`
		case strings.HasPrefix(it.MBean, "*:type=Manager,"):
			answer = `{"status":200,"value":{"Tomcat:type=Manager,host=localhost,context=/":{"activeSessions":` + refused + `,"sessionCounter":` + refusedBy1 + `}}}`
		case it.MBean == "java.lang:type=Threading" && it.Attribute[0] == "ThreadCount":
			answer = `{"status":200,"value":{"ThreadCount":5,"PeakThreadCount":` + refusedBy1 + `,"DaemonThreadCount":` + broken + `}}`
		case it.MBean == "java.lang:type=Runtime":
			answer = `{"status":403,"error":"denied"}`
		}
		saying(200, "["+answer+"]")(w, r, bulk)
	})
	denied, err := client(t, agent.URL).Denied(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{
		"*:type=Manager,host=*,context=*", "java.lang:type=Runtime", "java.lang:type=Threading/PeakThreadCount", "java.lang:type=Threading/findDeadlockedThreads()",
	}, denied)
	none, noThread := []any{"none"}, []any{float64(1 << 53)}
	assert.Equal(t, map[string][]any{
		"gcFinalizerInfo": nil, "gcClassHistogram": {none}, "jfrView": {none}, "getVMOption(java.lang.String)": {"none"},
		"getThreadInfo([J,int)": {noThread, 0.0}, "getThreadCpuTime([J)": {noThread}, "getThreadAllocatedBytes([J)": {noThread},
		"findDeadlockedThreads()": nil, "findMonitorDeadlockedThreads()": nil,
	}, tried, "nothing is to happen by them")
}
