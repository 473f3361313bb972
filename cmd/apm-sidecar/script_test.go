package main

import (
	"errors"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/jmx/jmxtest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"apm-sidecar": main})
}

// recordedAgent is an agent that gives the reply a real one gave.
func recordedAgent(t *testing.T) *httptest.Server {
	t.Helper()
	reply, err := os.ReadFile(filepath.FromSlash("../../internal/jmx/testdata/jolokia-2.6.0-jdk17-g1.json"))
	require.NoError(t, err)
	answers, err := jmxtest.Recorded(reply)
	require.NoError(t, err)
	agent := httptest.NewServer(answers)
	t.Cleanup(agent.Close)
	return agent
}

// TestScripts runs the program as users do. Beside the usual commands the scripts
// have "exits CODE COMMAND...", and $AGENT is the URL of a healthy agent.
func TestScripts(t *testing.T) {
	agent := recordedAgent(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("AGENT", agent.URL+"/jolokia")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}

// exits runs a command that must end with a given code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%s: %v", args[1], err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}
