package jmx_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestStrictOrigins: the policy that ActiveMQ brings along refuses what has no Origin. It gets the
// agent's own address, and from then on at once; others get none.
func TestStrictOrigins(t *testing.T) {
	t.Parallel()
	allowed, origins := "", []string(nil)
	agent := newFake(t, func(w http.ResponseWriter, r *http.Request, bulk []item) {
		origin := r.Header.Get("Origin")
		origins = append(origins, origin)
		if origin == "" {
			origin = "null"
		}
		if origin != allowed {
			_, _ = fmt.Fprintf(w, `{"error_type":"java.lang.Exception","error":"java.lang.Exception : Origin %s is not allowed to call this agent","status":403}`, origin)
			return
		}
		answering(nil)(w, r, bulk)
	})
	allowed = agent.URL
	c := client(t, agent.URL+"/api/jolokia/")
	for range 2 {
		_, err := c.Details(t.Context())
		require.NoError(t, err)
	}
	assert.Equal(t, []string{"", agent.URL, agent.URL}, origins)

	allowed, origins = "http://localhost", nil
	_, err := client(t, agent.URL+"/api/jolokia/").Poll(t.Context())
	require.ErrorContains(t, err, "Origin "+agent.URL+" is not allowed")
	require.ErrorContains(t, err, "strict-checking")
	assert.Len(t, origins, 2, "it is not tried over and over")

	origins = nil
	open := newFake(t, func(w http.ResponseWriter, r *http.Request, bulk []item) {
		origins = append(origins, r.Header.Get("Origin"))
		answering(nil)(w, r, bulk)
	})
	_, _ = client(t, open.URL).Details(t.Context())
	assert.Equal(t, []string{""}, origins)
}
