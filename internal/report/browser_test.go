package report

import (
	"context"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// browserTimeout is for a browser to start on a busy machine, and all that is done in it.
const browserTimeout = 50 * time.Second

// browser is a real one, with all that it complains of and asks for.
type browser struct {
	context.Context
	mu                  sync.Mutex
	complaints, fetched []string
}

// openBrowser shows a page in Chromium.
func openBrowser(t *testing.T, html string) *browser {
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
	file := filepath.Join(t.TempDir(), "report.html")
	require.NoError(t, os.WriteFile(file, []byte(html), 0o600))
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.WSURLReadTimeout(browserTimeout))
	ctx, stop := context.WithTimeout(t.Context(), browserTimeout)
	t.Cleanup(stop)
	ctx, stopAllocator := chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(stopAllocator)
	ctx, stopBrowser := chromedp.NewContext(ctx)
	t.Cleanup(stopBrowser)
	b := &browser{Context: ctx}
	chromedp.ListenTarget(ctx, b.note)
	require.NoError(t, chromedp.Run(ctx, network.Enable(), log.Enable(), chromedp.Navigate((&url.URL{Scheme: "file", Path: file}).String())))
	return b
}

// note keeps what the browser tells.
func (b *browser) note(event any) {
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

// assertQuiet wants no complaint, and no request but for the page itself.
func (b *browser) assertQuiet(t *testing.T) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	assert.Empty(t, b.complaints)
	for _, address := range b.fetched {
		assert.True(t, strings.HasPrefix(address, "file://") && strings.HasSuffix(address, "/report.html") || strings.HasPrefix(address, "data:"), address)
	}
}

// ask evaluates an expression in the page.
func ask[T any](t *testing.T, b *browser, expression string) T {
	t.Helper()
	var answer T
	require.NoError(t, chromedp.Run(b, chromedp.Evaluate(expression, &answer)), expression)
	return answer
}

// do clicks, and the like.
func (b *browser) do(t *testing.T, actions ...chromedp.Action) {
	t.Helper()
	require.NoError(t, chromedp.Run(b, actions...))
}

func TestPageInABrowser(t *testing.T) {
	r := seedReport()
	for i := range 150 {
		r.Histogram = append(r.Histogram, ClassRow{Class: "com.acme.Small" + strings.Repeat("x", i), Loader: "boot", Instances: int64(i), ShallowBytes: 8})
	}
	b := openBrowser(t, page(t, r))

	// Our style and our script passed the policy.
	assert.Equal(t, "flex", ask[string](t, b, `getComputedStyle(document.querySelector("header")).display`))
	assert.True(t, ask[bool](t, b, `document.documentElement.classList.contains("js")`))

	// The histogram: at first short, then sorted, then filtered.
	const rows = `[...document.querySelectorAll("#histogram tbody tr")].filter((r) => r.offsetParent)`
	assert.Equal(t, 100, ask[int](t, b, rows+`.length`))
	b.do(t, chromedp.Click("#more", chromedp.ByQuery))
	assert.Equal(t, len(r.Histogram), ask[int](t, b, rows+`.length`))
	b.do(t, chromedp.Click("#histogram th:nth-child(2) button", chromedp.ByQuery))
	assert.Equal(t, "byte[]", ask[string](t, b, rows+`[0].cells[0].textContent`), "most instances first")
	b.do(t, chromedp.Click("#histogram th:nth-child(2) button", chromedp.ByQuery))
	assert.Equal(t, "0", ask[string](t, b, rows+`[0].cells[1].textContent`), "fewest first")
	assert.Equal(t, "ascending", ask[string](t, b, `document.querySelector("#histogram th:nth-child(2)").getAttribute("aria-sort")`))
	b.do(t, chromedp.SendKeys("#filter", "order$LINE", chromedp.ByQuery))
	assert.Equal(t, 2, ask[int](t, b, rows+`.length`))
	assert.Equal(t, "2 of 155 classes", ask[string](t, b, `document.getElementById("matches").textContent`))

	// The dominator tree opens and closes.
	const open = `document.querySelectorAll("#tree details[open]").length`
	b.do(t, chromedp.Click(`[data-tree="close"]`, chromedp.ByQuery))
	assert.Zero(t, ask[int](t, b, open))
	b.do(t, chromedp.Click("#tree summary", chromedp.ByQuery))
	assert.Equal(t, 1, ask[int](t, b, open))
	b.do(t, chromedp.Click(`[data-tree="open"]`, chromedp.ByQuery))
	assert.Greater(t, ask[int](t, b, open), 1)

	// A box of the icicle takes the whole width, and gives it back.
	const box = `[...document.querySelectorAll("#consumers .box")].find((b) => b.textContent.includes("AbstractJdbc2Statement"))`
	before := ask[string](t, b, box+`.getAttribute("width")`)
	assert.NotEqual(t, "100%", before)
	ask[any](t, b, box+`.dispatchEvent(new MouseEvent("click"))`)
	assert.Equal(t, "100%", ask[string](t, b, box+`.getAttribute("width")`))
	ask[any](t, b, box+`.dispatchEvent(new KeyboardEvent("keydown", {key: "Enter"}))`)
	assert.InDelta(t, 80.8, ask[float64](t, b, `parseFloat(`+box+`.getAttribute("width"))`), 0.1)

	// The theme changes the colours, not only the button.
	paper := `getComputedStyle(document.body).backgroundColor`
	b.do(t, chromedp.Click("#theme", chromedp.ByQuery))
	light := ask[string](t, b, paper)
	b.do(t, chromedp.Click("#theme", chromedp.ByQuery))
	assert.NotEqual(t, light, ask[string](t, b, paper))

	assert.LessOrEqual(t, ask[int](t, b, `document.documentElement.scrollWidth - innerWidth`), 0, "nothing sticks out to the right")
	b.assertQuiet(t)
}

// Names that are markup and script stay text in a real browser too.
func TestHostilePageInABrowser(t *testing.T) {
	r := rewritten(seedReport(), func(s string) string {
		return `"'></text></svg></title><script>window.owned=1</script><img src=http://192.0.2.1/x onerror=window.owned=1>` + s
	})
	b := openBrowser(t, page(t, r))
	assert.True(t, ask[bool](t, b, `window.owned === undefined`))
	assert.Zero(t, ask[int](t, b, `document.images.length`))
	assert.True(t, ask[bool](t, b, `document.documentElement.classList.contains("js")`))
	b.assertQuiet(t)
}
