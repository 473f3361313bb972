package jmx_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/jmx"
	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

func TestFailuresHaveAReason(t *testing.T) {
	t.Parallel()
	good := captured(t, "jolokia-2.6.0-jdk17-g1.json")
	for _, tc := range []struct {
		name, reason, message string
		answer                func(http.ResponseWriter, *http.Request, []item)
	}{
		{"unauthorized", "http_401", "username and password_file", saying(401, "")},
		{"forbidden", "http_403", "policy", saying(403, "")},
		{"wrong path", "http_404", "/jolokia/", saying(404, "<html>")},
		{"server error", "http_500", "500", saying(500, "")},
		{"host denied", jmx.ReasonDenied, "No access", saying(200, `{"status":403,"error":"No access from client 10.0.0.1 allowed"}`)},
		{"not JSON", jmx.ReasonDecode, "no JSON", saying(200, "<html>login</html>")},
		{"empty", jmx.ReasonDecode, "no JSON", saying(200, "")},
		{"cut JSON", jmx.ReasonTruncated, "no JSON", saying(200, good[:len(good)/2])},
		{"a number", jmx.ReasonDecode, "number", saying(200, "42")},
		{"fewer items", jmx.ReasonDecode, "1 items", saying(200, `[{"status":200,"value":{}}]`)},
		{"more items", jmx.ReasonDecode, "200 items", saying(200, "["+strings.Repeat(`{"status":200,"value":{}},`, 199)+`{"status":200,"value":{}}]`)},
		{"too deep", jmx.ReasonTruncated, "no JSON", saying(200, strings.Repeat("[", 10_000))},
		{"everything refused", jmx.ReasonBulkRejected, "refused", saying(400, "no")},
		{"redirect", "http_302", "302, a redirect to http://192.0.2.1/login, which is not followed", func(w http.ResponseWriter, r *http.Request, _ []item) {
			http.Redirect(w, r, "http://bob:hush@192.0.2.1/login?token=hush", http.StatusFound)
		}},
		{"redirect to nowhere", "http_302", "302, a redirect, which is not followed", saying(302, "")},
		{"out of memory", jmx.ReasonNoPart, "java.lang.OutOfMemoryError: Java heap space",
			eachItem(`{"status":500,"error":"java.lang.OutOfMemoryError: Java heap space"}`)},
		{"nulls", jmx.ReasonNoPart, "JSON null where", eachItem(`{"status":200,"value":null}`)},
		{"packed", jmx.ReasonDecode, "compressed (gzip)", func(w http.ResponseWriter, _ *http.Request, _ []item) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = io.WriteString(w, "\x1f\x8b")
		}},
		{"broken off", jmx.ReasonTruncated, "hung up", func(w http.ResponseWriter, _ *http.Request, _ []item) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if assert.NoError(t, err) {
				assert.NoError(t, conn.(*net.TCPConn).SetLinger(0)) // its end is a reset
				assert.NoError(t, conn.Close())
			}
		}},
		{"null items", jmx.ReasonNoPart, "without a word", eachItem(`null`)},
		{"too dense", jmx.ReasonTooLarge, "values", saying(200, "["+strings.Repeat("1,", 1<<20)+"1]")},
		{"escape sequences", jmx.ReasonNoPart, `safe\x1b[31m\u202ered`, eachItem(`{"status":500,"error":"safe\u001b[31m\u202ered"}`)},
		{"huge", jmx.ReasonTooLarge, "longer than", func(w http.ResponseWriter, _ *http.Request, _ []item) {
			chunk := []byte(strings.Repeat(" ", 1<<20))
			for range 64 {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		}},
		{"hung up", jmx.ReasonTruncated, "hung up", func(w http.ResponseWriter, _ *http.Request, _ []item) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, "[")
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			agent := newFake(t, tc.answer)
			s, err := client(t, agent.URL).Poll(t.Context())
			require.Error(t, err)
			assert.Nil(t, s)
			assert.Equal(t, tc.reason, jmx.Reason(err), err.Error())
			assert.Contains(t, err.Error(), tc.message)
			assert.Less(t, len(err.Error()), 600)
			assert.NotContains(t, err.Error(), "hush")
		})
	}
}

// eachItem answers the same to each item of a bulk.
func eachItem(answer string) func(http.ResponseWriter, *http.Request, []item) {
	return func(w http.ResponseWriter, _ *http.Request, bulk []item) {
		_, _ = io.WriteString(w, "["+strings.Repeat(answer+",", len(bulk)-1)+answer+"]")
	}
}

// Somebody who answers something else to each question, in the right form, or null, is no JVM
// without values.
func TestAnswersToOtherQuestionsAreMissing(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{
		"another question": `{"Verbose":true}`,
		"no bean":          `{}`,
		"nulls":            `{"StartTime":null,"Uptime":null,"java.lang:type=MemoryPool,name=Metaspace":{"Name":null,"Usage":null}}`,
	} {
		agent := newFake(t, eachItem(`{"status":200,"value":`+value+`}`))
		_, err := client(t, agent.URL).Poll(t.Context())
		assert.Equal(t, jmx.ReasonNoPart, jmx.Reason(err), name)
		require.ErrorContains(t, err, "none of the attributes that were asked is in the answer", name)
		d, err := client(t, agent.URL).Details(t.Context())
		require.NoError(t, err, name)
		var parts []string
		for _, m := range d.Missing {
			parts = append(parts, m.Part)
		}
		assert.Equal(t, []string{"java.lang:type=Runtime", "java.lang:type=ClassLoading", "java.lang:type=Compilation", "java.lang:type=MemoryPool,*",
			"java.nio:type=BufferPool,*", "java.lang:type=OperatingSystem", "java.lang:type=Threading"}, parts, name)
		assert.Nil(t, d.VM, name)
	}
}

func TestNobodyThere(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	_, err = client(t, "http://bob:s3cret@"+l.Addr().String()).Poll(t.Context())
	require.Error(t, err)
	assert.Equal(t, jmx.ReasonDial, jmx.Reason(err))
	assert.NotContains(t, err.Error(), "s3cret")
}

func TestTLSToAnUnknownAuthority(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = nil
	server.StartTLS()
	t.Cleanup(server.Close)
	_, err := client(t, server.URL).Poll(t.Context())
	require.Error(t, err)
	assert.Equal(t, jmx.ReasonTLS, jmx.Reason(err))
}

func TestHungPeerEndsWithTheTimeout(t *testing.T) {
	t.Parallel()
	for name, partial := range map[string]string{"before the header": "", "in the body": "["} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			release := make(chan struct{})
			agent := newFake(t, func(w http.ResponseWriter, r *http.Request, _ []item) {
				if partial != "" {
					_, _ = io.WriteString(w, partial)
					assert.NoError(t, http.NewResponseController(w).Flush())
				}
				select {
				case <-release:
				case <-r.Context().Done():
				}
			})
			t.Cleanup(func() { close(release) })
			target, err := jvm.ParseTarget(agent.URL)
			require.NoError(t, err)
			c := jmx.New(target, jmx.Options{Timeout: 100 * time.Millisecond})
			_, err = c.Poll(t.Context()) // nothing but the timeout ends it
			assert.Equal(t, jmx.ReasonTimeout, jmx.Reason(err), "%v", err)

			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, err = c.Poll(ctx)
			require.ErrorIs(t, err, context.Canceled)
		})
	}
}

func TestAbsurdNumbersAndNames(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 10_000)
	many := make([]string, 1000)
	for i := range many {
		many[i] = fmt.Sprintf(`"java.lang:name=p%d,type=MemoryPool":{"Name":"p%d","Type":"HEAP"}`, i, i)
	}
	answers := map[string]string{
		"java.lang:type=Runtime":            `{"StartTime":1e999,"Uptime":-1,"VmName":"` + long + `","VmVersion":7}`,
		"java.lang:type=Memory":             `{"HeapMemoryUsage":{"used":99999999999999999999,"max":9223372036854775807},"ObjectPendingFinalizationCount":1.5}`,
		"java.lang:type=MemoryPool,*":       `{` + strings.Join(many, ",") + `}`,
		"java.lang:type=GarbageCollector,*": `{"a":null,"b":7,"c":{"Name":"c","LastGcInfo":{"id":1,"memoryUsageBeforeGc":{"p":null},"memoryUsageAfterGc":5}}}`,
		"java.lang:type=OperatingSystem":    `{"ProcessCpuLoad":NaN,"SystemCpuLoad":-1,"SystemLoadAverage":"Infinity"}`,
	}
	agent := newFake(t, func(w http.ResponseWriter, _ *http.Request, bulk []item) {
		items := make([]string, len(bulk))
		for i, it := range bulk {
			items[i] = `{"status":200,"value":` + answers[it.MBean] + `}`
			if answers[it.MBean] == "" {
				items[i] = `{"status":"200","value":[]}`
			}
		}
		_, _ = io.WriteString(w, "["+strings.Join(items, ",")+"]")
	})
	s, err := client(t, agent.URL).Poll(t.Context())
	require.NoError(t, err)
	assert.Equal(t, &jvm.Runtime{}, s.Runtime)
	assert.Equal(t, &jvm.Memory{}, s.Memory)
	assert.Empty(t, s.Pools, "a thousand pools are no JVM's")
	assert.Contains(t, s.Missing, jvm.Missing{Part: "java.lang:type=MemoryPool,*", Reason: "1000 MBeans match, more than 256: none of them is taken"})
	require.Len(t, s.GCs, 1)
	assert.Empty(t, s.GCs[0].Last.Pools)
	assert.Equal(t, &jvm.OS{}, s.OS)
	assert.Nil(t, s.Threads)
}

func FuzzPoll(f *testing.F) {
	for _, file := range []string{"jolokia-2.6.0-jdk17-g1.json", "jolokia-1.7.2-jdk17-parallel.json", "jolokia-1.7.2-bulk-refused.txt", "jolokia-2.6.0-partial-errors.json"} {
		f.Add(jmx.ReadTestdata(f, file))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		s, err := jmx.DecodePoll(body)
		if err == nil {
			for _, p := range s.Pools {
				assert.NotEmpty(t, p.Name)
			}
		}
	})
}
