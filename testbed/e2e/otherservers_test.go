package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/tx"
)

// TestOtherServers asks servers other than a plain Tomcat for slow requests, and checks
// that what is seen of them is what docs/transactions.md says.
func TestOtherServers(t *testing.T) {
	if !full() {
		t.Skip("E2E_FULL=1 runs it: it takes three minutes")
	}
	for name, tc := range map[string]struct {
		server         string
		virtual, http2 bool
		// agentPath is where the server itself has the agent, "" for the JVM's.
		agentPath string
		// source of the records; route of all of them, "" where none is expected.
		source, route string
		// class is where their time went, "" where nobody sees that.
		class tx.Class
	}{
		"Spring Boot":                 {server: "spring", source: tx.SourceTomcat, route: "/orders/{id}", class: tx.ClassWait},
		"Spring Boot's own agent":     {server: "spring", agentPath: "/actuator/jolokia/", source: tx.SourceTomcat, route: "/orders/{id}", class: tx.ClassWait},
		"Spring Boot, virtual":        {server: "spring", virtual: true, source: tx.SourceTomcat, route: "/orders/{id}", class: tx.ClassUnknown},
		"Jetty":                       {server: "jetty", source: tx.SourceThreads, route: "testbed.servers.Orders.doGet", class: tx.ClassWait},
		"Jetty, virtual":              {server: "jetty", virtual: true},
		"Undertow":                    {server: "undertow", source: tx.SourceThreads, route: "testbed.servers.Orders.doGet", class: tx.ClassWait},
		"Undertow, virtual":           {server: "undertow", virtual: true},
		"HTTP/2 of Tomcat":            {server: "tomcat", http2: true, source: tx.SourceThreads, route: "testbed.servers.Orders.doGet", class: tx.ClassWait},
		"HTTP/1.1 of Tomcat, virtual": {server: "tomcat", virtual: true, source: tx.SourceTomcat, route: "/orders/{id}", class: tx.ClassUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			java := defaultJDK(t).java
			if tc.virtual {
				java = jdkFrom(t, 21)
			}
			bench := newBench(t)
			ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
			defer cancel()
			server, err := bench.StartOtherServer(ctx, java, tc.server, tc.virtual)
			require.NoError(t, err)
			target := server.JolokiaURL
			if tc.agentPath != "" {
				target = server.URL + tc.agentPath
			}
			client := &http.Client{Transport: &http.Transport{Protocols: protocols(tc.http2)}}
			require.NoError(t, askBy(ctx, client, server.URL+"/orders/1?ms=1")) // classes are loaded
			sidecar, err := bench.StartSidecarWith(ctx, target, "transactions: {interval: 500ms, threshold: 1500ms}\n")
			require.NoError(t, err)
			awaitFollowed(ctx, t, sidecar)
			const slow, slowMs = 4, 3000
			var asked sync.WaitGroup
			for n := range slow {
				asked.Go(func() {
					assert.NoError(t, askBy(ctx, client, fmt.Sprintf("%s/orders/%d?ms=%d", server.URL, 100+n, slowMs+n)))
				})
			}
			asked.Wait()
			var board tx.Board
			require.NoError(t, sidecar.Get(ctx, "/api/transactions/active", &board))
			notes := strings.Join(board.Targets[0].Notes, "\n")
			switch {
			case tc.virtual && tc.source == "":
				assert.Contains(t, notes, "the JVM runs virtual threads")
			case tc.virtual:
				assert.Contains(t, notes, "their path, age and exact duration are seen")
			case tc.source == tx.SourceThreads:
				assert.Contains(t, notes, "others are estimated")
			default:
				assert.NotContains(t, notes, "virtual")
			}
			list := awaitRecords(ctx, t, sidecar, func(l []tx.Summary) bool { return tc.source == "" || len(l) >= slow })
			if tc.source == "" {
				assert.Empty(t, list)
				return
			}
			require.Len(t, list, slow)
			for _, s := range list {
				var rec tx.Record
				require.NoError(t, sidecar.Get(ctx, "/api/transactions/"+s.ID, &rec))
				t.Logf("%s %s %+v %+v %v", rec.Path, rec.Thread, rec.Elapsed, rec.Classes, rec.Notes)
				assert.Equal(t, tc.source, rec.Source)
				assert.Equal(t, tc.route, rec.Route)
				assert.Equal(t, tc.class, rec.Class)
				if tc.source == tx.SourceTomcat {
					assert.Equal(t, tx.Exact, rec.Elapsed.Certainty)
					assert.GreaterOrEqual(t, rec.Elapsed.Ms, int64(slowMs))
					assert.Less(t, rec.Elapsed.Ms, int64(slowMs+2000), "the server took some time for itself")
				} else {
					assert.Equal(t, tx.Estimated, rec.Elapsed.Certainty)
					assert.LessOrEqual(t, rec.Elapsed.MinMs, int64(slowMs+400))
					assert.GreaterOrEqual(t, rec.Elapsed.MaxMs, int64(slowMs))
				}
				if tc.virtual {
					assert.Contains(t, strings.Join(rec.Notes, " "), "a virtual thread: its path and age are seen")
				}
			}
			assert.NoError(t, sidecar.Stop(sidecarGrace))
		})
	}
}

// protocols are HTTP/1.1, or HTTP/2 without TLS.
func protocols(http2 bool) *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(!http2)
	p.SetUnencryptedHTTP2(http2)
	return p
}

// jdkFrom is a Java program of that version or later.
func jdkFrom(t *testing.T, version int) string {
	t.Helper()
	for _, j := range findJDKs(t) {
		if j.version >= version {
			return j.java
		}
	}
	t.Skipf("no JDK %d or later", version)
	return ""
}
