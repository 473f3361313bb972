package jmx_test

import (
	"io"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/jmx"
	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// TestOneRequestUnderWay: polls and looks at threads take turns at the agent.
func TestOneRequestUnderWay(t *testing.T) {
	t.Parallel()
	var under atomic.Int32
	agent := newFake(t, func(w http.ResponseWriter, _ *http.Request, _ []item) {
		assert.Equal(t, int32(1), under.Add(1))
		defer under.Add(-1)
		runtime.Gosched()
		_, _ = io.WriteString(w, "[]")
	})
	c := client(t, agent.URL)
	var both sync.WaitGroup
	for _, ask := range []func() error{
		func() error { _, err := c.Poll(t.Context()); return err },
		func() error { _, err := c.ThreadIDs(t.Context()); return err },
	} {
		both.Go(func() {
			for range 10 {
				assert.Equal(t, jmx.ReasonDecode, jmx.Reason(ask()), "the answer holds nothing")
			}
		})
	}
	both.Wait()
	assert.Len(t, agent.asked(), 20)
}

// TestTurnsGoOnInOrder: whoever waits is next, however fast the other asks again.
func TestTurnsGoOnInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		take, end := jmx.NewTurn()
		require.NoError(t, take(t.Context()))
		var order []string
		go func() {
			assert.NoError(t, take(t.Context()))
			order = append(order, "waited")
			end()
		}()
		synctest.Wait()
		end()
		require.NoError(t, take(t.Context()))
		assert.Equal(t, []string{"waited"}, order)
		end()
	})
}

// TestWaitForATurn: whoever waits in vain says so in time.
func TestWaitForATurn(t *testing.T) {
	t.Parallel()
	hung, release := make(chan struct{}), make(chan struct{})
	var first atomic.Bool
	agent := newFake(t, func(w http.ResponseWriter, _ *http.Request, _ []item) {
		if first.CompareAndSwap(false, true) {
			close(hung)
			<-release
		}
		_, _ = io.WriteString(w, versionAnswer)
	})
	target, err := jvm.ParseTarget(agent.URL)
	require.NoError(t, err)
	c := jmx.New(target, jmx.Options{Timeout: 200 * time.Millisecond, DumpTimeout: time.Minute})
	t.Cleanup(c.Close)
	dump := make(chan error)
	go func() { dump <- c.DumpHeap(t.Context(), "/tmp/x.hprof", false) }()
	<-hung
	_, err = c.Version(t.Context())
	assert.Equal(t, jmx.ReasonTimeout, jmx.Reason(err))
	require.ErrorContains(t, err, "an earlier request")
	close(release)
	require.NoError(t, <-dump)
	assert.Eventually(t, func() bool { // each time within its fifth of a second
		_, err = c.Version(t.Context())
		return err == nil
	}, time.Minute, time.Millisecond, "it is their turn")
}

// TestAsking: who waits for an answer is counted, and so is who waits for his turn.
func TestAsking(t *testing.T) {
	t.Parallel()
	asked, release := make(chan struct{}), make(chan struct{})
	agent := newFake(t, func(w http.ResponseWriter, _ *http.Request, _ []item) {
		asked <- struct{}{}
		<-release
		_, _ = io.WriteString(w, versionAnswer)
	})
	target, err := jvm.ParseTarget(agent.URL)
	require.NoError(t, err)
	buffers := jmx.NewBuffers()
	c := jmx.New(target, jmx.Options{Buffers: buffers})
	t.Cleanup(c.Close)
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			_, err := c.Version(t.Context())
			assert.NoError(t, err)
		})
	}
	<-asked
	assert.Eventually(t, func() bool { return buffers.Asking() == 2 }, time.Minute, time.Millisecond)
	release <- struct{}{}
	<-asked
	release <- struct{}{}
	both.Wait()
	assert.Zero(t, buffers.Asking())
}
