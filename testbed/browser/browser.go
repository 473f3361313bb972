// Package browser opens pages in a real Chromium for tests, and notes all that it
// complains of and asks for.
package browser

import (
	"context"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// timeout is for a browser to start on a busy machine, and all that is done in it.
const timeout = 90 * time.Second

// Browser is a real one with one page open.
type Browser struct {
	context.Context
	mu                  sync.Mutex
	complaints, fetched []string
}

// Open shows a page until the test ends. Without a Chromium the test is skipped.
func Open(t *testing.T, address string) *Browser {
	t.Helper()
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			program = path
			break
		}
	}
	if program == "" {
		t.Skip("no Chromium on the PATH (make chromium installs it on Debian): nobody has looked at the page")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.NoSandbox,
		chromedp.WSURLReadTimeout(timeout), chromedp.WindowSize(1280, 900))
	ctx, stop := context.WithTimeout(t.Context(), timeout)
	t.Cleanup(stop)
	ctx, stopAllocator := chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(stopAllocator)
	ctx, stopBrowser := chromedp.NewContext(ctx)
	t.Cleanup(stopBrowser)
	b := &Browser{Context: ctx}
	chromedp.ListenTarget(ctx, b.note)
	require.NoError(t, chromedp.Run(ctx, network.Enable(), log.Enable(), chromedp.Navigate(address)))
	return b
}

// note keeps what the browser tells.
func (b *Browser) note(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		b.complaints = append(b.complaints, string(e.Type))
	case *runtime.EventExceptionThrown:
		b.complaints = append(b.complaints, e.ExceptionDetails.Error())
	case *log.EventEntryAdded:
		b.complaints = append(b.complaints, e.Entry.Text)
	case *network.EventRequestWillBeSent:
		b.fetched = append(b.fetched, e.Request.URL)
	}
}

// AssertQuiet wants no complaint, and no request to anywhere but addresses that begin
// with home.
func (b *Browser) AssertQuiet(t *testing.T, home string) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	assert.Empty(t, b.complaints)
	for _, address := range b.fetched {
		assert.True(t, strings.HasPrefix(address, home) || strings.HasPrefix(address, "data:"), address)
	}
}

// Ask evaluates an expression in the page.
func Ask[T any](t *testing.T, b *Browser, expression string) T {
	t.Helper()
	var answer T
	require.NoError(t, chromedp.Run(b, chromedp.Evaluate(expression, &answer)), expression)
	return answer
}

// Await waits until an expression in the page is true.
func (b *Browser) Await(t *testing.T, expression string) {
	t.Helper()
	var done bool
	require.NoError(t, chromedp.Run(b, chromedp.Poll(expression, &done, chromedp.WithPollingTimeout(timeout))), expression)
}

// Do clicks, and the like.
func (b *Browser) Do(t *testing.T, actions ...chromedp.Action) {
	t.Helper()
	require.NoError(t, chromedp.Run(b, actions...))
}

// AsPhone gives the page the size of a phone.
func (b *Browser) AsPhone(t *testing.T) {
	t.Helper()
	b.Do(t, emulation.SetDeviceMetricsOverride(390, 844, 2, true))
}
