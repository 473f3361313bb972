package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/testbed/harness"
)

// jdk is one Java installation.
type jdk struct {
	// name is for the names of tests: "jdk17".
	name string
	// version is the feature version: 17.
	version int
	// java is the path of the launcher.
	java string
}

// collector is a garbage collector and the options that choose it.
type collector struct {
	name    string
	options []string
	// concurrent collectors dump by marking: unreachable objects are left out.
	concurrent bool
}

// collectsBefore says that a live dump begins with a collection during which the
// program goes on: finalizers run between it and the dump. Others collect while
// the world stands still. Measured: not on 17, from 21 on.
func (c collector) collectsBefore(j jdk, live bool) bool {
	return live && c.concurrent && j.version > 17
}

// optionsOf are the options that a scenario needs beside those of all.
func (j jdk) optionsOf(scenario string) []string {
	if scenario == "disabled" && j.version >= 18 {
		return []string{"--finalization=disabled"}
	}
	return nil
}

// lacks says that the JDK has no more what a scenario is about: the Cleaner whose actions the thread "Reference
// Handler" ran.
func (j jdk) lacks(scenario string) bool { return scenario == "cleaner-handler" && j.version >= 26 }

var serial = collector{name: "serial", options: []string{"-XX:+UseSerialGC"}}

// collectors are those that this JDK was built with.
func (j jdk) collectors(t *testing.T) []collector {
	t.Helper()
	// ZGC and Shenandoah were experimental once.
	unlock := "-XX:+UnlockExperimentalVMOptions"
	all := []collector{
		serial,
		{name: "serial-uncompressed", options: []string{"-XX:+UseSerialGC", "-XX:-UseCompressedOops"}},
		{name: "parallel", options: []string{"-XX:+UseParallelGC"}},
		{name: "g1", options: []string{"-XX:+UseG1GC"}},
		{name: "zgc", options: []string{unlock, "-XX:+UseZGC"}, concurrent: true},
		{name: "shenandoah", options: []string{unlock, "-XX:+UseShenandoahGC"}, concurrent: true},
	}
	var present []collector
	for _, c := range all {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		err := exec.CommandContext(ctx, j.java, append(c.options, "-version")...).Run()
		cancel()
		if err == nil {
			present = append(present, c)
		}
	}
	require.NotEmpty(t, present, "no collector of %s works", j.java)
	return present
}

// findJDKs returns the installations named by JDKS, a list of Java homes
// separated as in PATH; else the java of the PATH and what is in /usr/lib/jvm.
// It skips the test when there is none.
func findJDKs(t *testing.T) []jdk {
	t.Helper()
	var launchers []string
	if homes := os.Getenv("JDKS"); homes != "" {
		for _, home := range filepath.SplitList(homes) {
			launchers = append(launchers, filepath.Join(home, "bin", "java"))
		}
	} else {
		launchers = append(launchers, defaultJDK(t).java)
		found, err := filepath.Glob("/usr/lib/jvm/*/bin/java")
		require.NoError(t, err)
		launchers = append(launchers, found...)
	}
	var jdks []jdk
	seen := map[string]bool{}
	for _, launcher := range launchers {
		target, err := filepath.EvalSymlinks(launcher)
		require.NoError(t, err)
		if !seen[target] {
			seen[target] = true
			jdks = append(jdks, newJDK(t, target))
		}
	}
	return jdks
}

// defaultJDK is the one that a plain "java" starts. It skips the test when there
// is none.
func defaultJDK(t *testing.T) jdk {
	t.Helper()
	java, err := harness.FindJava()
	if errors.Is(err, harness.ErrNoJava) {
		t.Skip(err)
	}
	require.NoError(t, err)
	return newJDK(t, java)
}

func newJDK(t *testing.T, java string) jdk {
	t.Helper()
	version, err := harness.JavaVersion(t.Context(), java)
	require.NoError(t, err)
	return jdk{name: fmt.Sprintf("jdk%d", version), version: version, java: java}
}
