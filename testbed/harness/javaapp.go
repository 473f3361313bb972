package harness

import (
	"context"
	"regexp"
	"strings"
)

// awaitJolokia waits for a JVM's Jolokia agent and returns its URL, which ends in a
// slash. Errors: those of AwaitOutput.
func (p *Process) awaitJolokia(ctx context.Context) (url string, err error) {
	match, err := p.AwaitOutput(ctx, regexp.MustCompile(`Agent \S+ started with URL (http://127\.0\.0\.1:\d+/\S+)\s`))
	if err != nil {
		return "", err
	}
	return strings.TrimSuffix(match[1], "/") + "/", nil
}

// awaitReady waits until an application of the testbed serves requests and returns its
// URL without a path. Errors: those of AwaitOutput.
func (p *Process) awaitReady(ctx context.Context) (url string, err error) {
	match, err := p.AwaitOutput(ctx, regexp.MustCompile(`(?m)^READY http=(\d+)\s`))
	if err != nil {
		return "", err
	}
	return "http://127.0.0.1:" + match[1], nil
}
