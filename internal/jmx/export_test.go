package jmx

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/valyala/fastjson"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// DecodePoll reads an answer to the bulk of a poll without a network.
func DecodePoll(body []byte) (*jvm.Snapshot, error) {
	t := newTier(newPlan(fastTier()))
	replies, err := parseBulk(&fastjson.Parser{}, body, len(t.items))
	if err != nil {
		return nil, err
	}
	s := &jvm.Snapshot{}
	s.Missing = t.decode(0, s, t.every(), replies)
	return s, nil
}

// every are the indexes of all items.
func (t *tier[T]) every() []int {
	all := make([]int, len(t.items))
	for i := range all {
		all[i] = i
	}
	return all
}

// PollItems is the number of items of the fast tier.
func PollItems() int { return len(fastTier()) }

// ReadTestdata is the content of a file in testdata.
func ReadTestdata(t testing.TB, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	return content
}

// ParseFinalizerInfo is parseFinalizerInfo.
func ParseFinalizerInfo(out string) *jvm.FinalizerQueue { return parseFinalizerInfo(out) }

// ParseFlightView is parseFlightView.
func ParseFlightView(out string) *jvm.RegisteredFinalizers { return parseFlightView(out) }

// ParseHistogram is parseHistogram.
func ParseHistogram(out string) *jvm.ClassHistogram { return parseHistogram(out) }

// NewTurn is a turn's take and end.
func NewTurn() (take func(context.Context) error, end func()) {
	t := newTurn()
	return t.take, t.end
}

// Rested makes the connection at rest look as if it were so for longer by d.
func (c *Client) Rested(d time.Duration) {
	t := c.conns.(*plainTransport)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.idle.restsSince = t.idle.restsSince.Add(-d)
}

// DomainsOfLooks are those in which n looks look for a Tomcat that there is not.
func DomainsOfLooks(n int, apart time.Duration) []string {
	var domains []string
	var d tomcatDomain
	for range n {
		domain := d.at(time.Now())
		if domain == everyDomain {
			d.saw(time.Now(), reply{err: "none"}, reply{err: "none"})
		}
		domains = append(domains, domain)
		time.Sleep(apart)
	}
	return domains
}

// Age has both tiers of polls be older by d.
func (c *Client) Age(d time.Duration) {
	c.fast.began, c.slow.began = c.fast.began.Add(-d), c.slow.began.Add(-d)
}

// How long what the agent refuses, and what it does not have, is left out.
const (
	QuarantineTime = quarantineTime
	AbsentTime     = absentTime
)
