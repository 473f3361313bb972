package e2e

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/tx"
)

const (
	actuator  = "/actuator/jolokia"
	exposed   = "--management.endpoints.web.exposure.include=jolokia"
	published = "--server.tomcat.mbeanregistry.enabled=true"
)

// boots are the versions of Spring Boot to test: the latest, or all.
func boots() []string {
	if full() {
		return []string{"boot3", "boot2"}
	}
	return []string{"boot3"}
}

// TestSpringBoot watches an application of Spring Boot by Jolokia's endpoint of its
// actuator, behind basic authentication.
func TestSpringBoot(t *testing.T) {
	for _, boot := range boots() {
		t.Run(boot, func(t *testing.T) {
			bench, ctx := newBench(t), t.Context()
			app, err := bench.StartSpringApp(ctx, defaultJDK(t).java, boot, "basic", exposed, published)
			require.NoError(t, err)
			out, err := sidecarOutput(t, "doctor", "--config", patientConfig(t, app.URL(actuator)))
			require.NoError(t, err, out)
			assert.Regexp(t, `ok    Jolokia (2\.6|1\.7)`, out)
			assert.NotContains(t, out, "mbeanregistry")
			assert.NotContains(t, out, app.Password)

			sidecar, err := bench.StartSidecarWith(ctx, app.URL(actuator), "transactions: {interval: 500ms, threshold: 1500ms}\n")
			require.NoError(t, err)
			awaitFollowed(ctx, t, sidecar)
			const slow, slowMs = 3, 2500
			var asked sync.WaitGroup
			waited := make([]time.Duration, slow)
			for n := range slow {
				asked.Go(func() {
					begin := time.Now()
					assert.NoError(t, ask(ctx, app.URL(fmt.Sprintf("/orders/%d?ms=%d", n, slowMs))))
					waited[n] = time.Since(begin)
				})
			}
			asked.Wait()
			list := awaitRecords(ctx, t, sidecar, func(l []tx.Summary) bool { return len(l) >= slow })
			late := looksMissed(ctx, t, sidecar)
			if late == 0 {
				require.Len(t, list, slow)
			}
			assert.LessOrEqual(t, len(list), slow, "none of the sidecar's own requests among them")
			for _, s := range list {
				var rec tx.Record
				require.NoError(t, sidecar.Get(ctx, "/api/transactions/"+s.ID, &rec))
				if rec.Samples == 0 {
					assert.Positive(t, late, "nobody was too late to look at %+v", rec)
					continue
				}
				var n int
				_, err := fmt.Sscanf(rec.Path, "/orders/%d", &n)
				require.NoError(t, err, rec.Path)
				assert.Equal(t, tx.SourceTomcat, rec.Source)
				assert.Equal(t, "/orders/{id}", rec.Route)
				assert.Equal(t, tx.Exact, rec.Elapsed.Certainty)
				assert.GreaterOrEqual(t, rec.Elapsed.Ms, int64(slowMs))
				assert.Less(t, rec.Elapsed.Ms, waited[n].Milliseconds()+2000, "the server took some time for itself")
				if late == 0 { // else it may have stood for longer without a processor, or unseen
					assert.Equal(t, tx.ClassWait, rec.Class)
				}
			}
			for _, expr := range []string{"jvm_memory_pool_used_bytes", "appserver_requests_total", "appserver_threads_current"} {
				assert.Eventually(t, func() bool {
					found, err := sidecar.Query(ctx, expr)
					return err == nil && len(found) > 0 && found[0] > 0
				}, patience, 200*time.Millisecond, expr)
			}
			assert.NoError(t, sidecar.Stop(sidecarGrace))
		})
	}
}

// TestDoctorOfSpringBoot: what keeps the sidecar out, or from seeing all, is told with
// what to do.
func TestDoctorOfSpringBoot(t *testing.T) {
	dir := t.TempDir()
	policy := filepath.Join(dir, "own.xml")
	text, err := sidecarOutput(t, "policy")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(policy, []byte(text), 0o600))
	elsewhere := filepath.Join(dir, "deny.xml")
	require.NoError(t, os.WriteFile(elsewhere, []byte("<restrict><remote><host>192.0.2.1</host></remote></restrict>"), 0o600))

	for _, boot := range boots() {
		for name, tc := range map[string]struct {
			security string
			args     []string
			path     string
			want     []string
			quick    bool
			password string // "" is the user's own
		}{
			"a token wanted": {"default", []string{exposed}, actuator, []string{"CSRF token", "ignoringRequestMatchers"}, true, ""},
			"a guess":        {"basic", []string{exposed}, actuator, []string{"username and password_file"}, false, "guess"},
			"a form":         {"form", []string{exposed}, actuator, []string{"a redirect to http://", "/login", "basic authentication"}, false, ""},
			"not exposed":    {"", nil, actuator, []string{"management.endpoints.web.exposure.include"}, false, ""},
			"another path":   {"", []string{exposed}, "", []string{"an agent answers at http://", actuator + "/: give that"}, false, ""},
			"not published":  {"basic", []string{exposed}, actuator, []string{"ok    Jolokia", "server.tomcat.mbeanregistry.enabled=true", "exec, write, read, search any MBean"}, false, ""},
			"denied":         {"", []string{exposed, "--management.endpoint.jolokia.config.policyLocation=file://" + elsewhere}, actuator, []string{"No access from client 127.0.0.1"}, false, ""},
			"our own policy": {"", []string{exposed, published, "--management.endpoint.jolokia.config.policyLocation=file://" + policy}, actuator, []string{"allows no more than it must"}, false, ""},
		} {
			if !full() && !tc.quick {
				continue
			}
			t.Run(boot+"/"+name, func(t *testing.T) {
				app, err := newBench(t).StartSpringApp(t.Context(), defaultJDK(t).java, boot, tc.security, tc.args...)
				require.NoError(t, err)
				app.Password = cmp.Or(tc.password, app.Password)
				out, _ := sidecarOutput(t, "doctor", "--config", patientConfig(t, app.URL(tc.path))) // which fails where nobody answers
				for _, want := range tc.want {
					assert.Contains(t, out, want)
				}
				assert.NotContains(t, out, app.Password)
			})
		}
	}
}
