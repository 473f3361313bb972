package finding_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// TestAsyncRequests has the requests of a Tomcat, most of which are asynchronous and open, or were.
func TestAsyncRequests(t *testing.T) {
	f := func(open int) finding.Finding {
		j := hproftest.NewJDK(17, 8)
		request := j.Class("org.apache.catalina.connector.Request", j.Object, hproftest.Ref("buffer"))
		async := j.Class("org.apache.catalina.core.AsyncContextImpl", j.Object, hproftest.Ref("request"), hproftest.Long("timeout"))
		var requests, contexts []*hproftest.Object
		for i := range 300 {
			requests = append(requests, j.New(request).Set("buffer", j.Bytes(make([]byte, 10_000))))
			c := j.New(async).Set("timeout", int64(-1))
			if i < open {
				c.Set("request", requests[i]).Set("timeout", int64(30_000*(i%3)))
			}
			contexts = append(contexts, c)
		}
		for class, all := range map[string][]*hproftest.Object{"com.acme.A": requests, "com.acme.B": requests, "com.acme.C": contexts} {
			j.Class(class, j.Object).Static("ALL", j.Array(j.Objects, all...))
		}
		return only(t, "big-retainer", detect(t, j))
	}
	found := f(240)
	assert.Contains(t, found.Summary, "240 asynchronous requests have begun and not ended (AsyncContext), 80 of them without a time limit.")
	assert.Contains(t, found.Advice, "AsyncContext.complete()")
	assert.NotContains(t, f(100).Summary, "asynchronous", "most are none")
}
