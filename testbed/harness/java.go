package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
)

// ErrNoJava says that there is no usable JDK.
var ErrNoJava = errors.New("no usable Java: install a JDK of version 17 or newer, or set JAVA_HOME")

// ErrNotBuilt says that the testbed's Java programs are not built.
var ErrNotBuilt = errors.New("testbed is not built: make testbed")

// FindJava returns the java launcher of JAVA_HOME, else of the PATH, else
// ErrNoJava.
func FindJava() (string, error) {
	if home := os.Getenv("JAVA_HOME"); home != "" {
		java := filepath.Join(home, "bin", "java")
		if _, err := os.Stat(java); err != nil {
			return "", fmt.Errorf("JAVA_HOME: %w", err)
		}
		return java, nil
	}
	java, err := exec.LookPath("java")
	if err != nil {
		return "", ErrNoJava
	}
	return java, nil
}

// JavaVersion returns the feature version of a java launcher: 8, 17, 25.
func JavaVersion(ctx context.Context, java string) (int, error) {
	ctx, cancel := withStartTimeout(ctx)
	defer cancel()
	output, err := exec.CommandContext(ctx, java, "-version").CombinedOutput() // the caller's choice of JDK
	if err != nil {
		return 0, fmt.Errorf("%s -version: %w", java, err)
	}
	match := regexp.MustCompile(`version "(?:1\.)?(\d+)`).FindSubmatch(output)
	if match == nil {
		return 0, fmt.Errorf("%s -version: no version in %.100q", java, output)
	}
	return strconv.Atoi(string(match[1]))
}

// RepositoryRoot is the folder of go.mod above the working folder.
func RepositoryRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod above the working folder: run it inside the repository")
		}
		dir = parent
	}
}

// built returns the path of a file that "make testbed" makes, given relative to
// the folder testbed, or ErrNotBuilt.
func built(elements ...string) (string, error) {
	root, err := RepositoryRoot()
	if err != nil {
		return "", err
	}
	path := filepath.Join(append([]string{root, "testbed"}, elements...)...)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%w (%w)", ErrNotBuilt, err)
	}
	return path, nil
}

// LabJar is the path of the finalizer lab, or ErrNotBuilt.
func LabJar() (string, error) { return built("finalizer-lab", "target", "finalizer-lab.jar") }

// JolokiaAgentJar is the path of the Jolokia agent for JVMs, or ErrNotBuilt.
func JolokiaAgentJar() (string, error) {
	return built("leaky-webapp", "target", "agent", "jolokia-agent.jar")
}

// SuspectsLabJar is the path of the lab of general suspects, or ErrNotBuilt.
func SuspectsLabJar() (string, error) { return built("suspects-lab", "target", "suspects-lab.jar") }
