package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/attach"
)

func TestListJVMs(t *testing.T) {
	list := func(jvms ...attach.JVM) (stdout, stderr string) {
		var out, err bytes.Buffer
		require.NoError(t, listJVMs(environment{stdout: &out, stderr: &err}, jvms))
		return out.String(), err.String()
	}
	out, said := list(attach.JVM{PID: 7, Main: "Shop"}, attach.JVM{PID: 8, Main: "Till", JolokiaURL: "http://127.0.0.1:8778/jolokia/"},
		attach.JVM{PID: 9, Main: "Hung", Silent: true})
	assert.Equal(t, "7\tShop\tno JVM agent\n8\tTill\thttp://127.0.0.1:8778/jolokia/\n9\tHung\tdoes not answer\n", out)
	assert.Contains(t, said, "a web application or an actuator is not seen")
	_, said = list(attach.JVM{PID: 8, Main: "Till", JolokiaURL: "http://127.0.0.1:8778/jolokia/"})
	assert.Empty(t, said)
	out, _ = list(attach.JVM{PID: 8, Main: "\x1b]0;till", JolokiaURL: "http://127.0.0.1:8778/\x07/"})
	assert.Equal(t, "8\t\\x1b]0;till\thttp://127.0.0.1:8778/\\x07/\n", out, "another user's process moves no cursor")

	out, said = list()
	assert.Empty(t, out, "programs read it")
	assert.Contains(t, said, "No JVM of this user runs on this host")
}
