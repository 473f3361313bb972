package report

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/testbed/browser"
)

// openBrowser shows a page in Chromium, and tells where it is.
func openBrowser(t *testing.T, html string) (*browser.Browser, string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "report.html")
	require.NoError(t, os.WriteFile(file, []byte(html), 0o600))
	address := (&url.URL{Scheme: "file", Path: file}).String()
	return browser.Open(t, address), address
}

func TestPageInABrowser(t *testing.T) {
	r := seedReport()
	for i := range 150 {
		r.Histogram = append(r.Histogram, ClassRow{Class: "com.acme.Small" + strings.Repeat("x", i), Loader: "boot", Instances: int64(i), ShallowBytes: 8})
	}
	b, address := openBrowser(t, page(t, r))

	// Our style and our script passed the policy.
	assert.Equal(t, "flex", browser.Ask[string](t, b, `getComputedStyle(document.querySelector("header")).display`))
	assert.True(t, browser.Ask[bool](t, b, `document.documentElement.classList.contains("js")`))

	// The histogram: at first short, then sorted, then filtered.
	const rows = `[...document.querySelectorAll("#histogram tbody tr")].filter((r) => r.offsetParent)`
	assert.Equal(t, 100, browser.Ask[int](t, b, rows+`.length`))
	b.Do(t, chromedp.Click("#more", chromedp.ByQuery))
	assert.Equal(t, len(r.Histogram), browser.Ask[int](t, b, rows+`.length`))
	b.Do(t, chromedp.Click("#histogram th:nth-child(2) button", chromedp.ByQuery))
	assert.Equal(t, "byte[]", browser.Ask[string](t, b, rows+`[0].cells[0].textContent`), "most instances first")
	b.Do(t, chromedp.Click("#histogram th:nth-child(2) button", chromedp.ByQuery))
	assert.Equal(t, "0", browser.Ask[string](t, b, rows+`[0].cells[1].textContent`), "fewest first")
	assert.Equal(t, "ascending", browser.Ask[string](t, b, `document.querySelector("#histogram th:nth-child(2)").getAttribute("aria-sort")`))
	b.Do(t, chromedp.SendKeys("#filter", "order$LINE", chromedp.ByQuery))
	assert.Equal(t, 2, browser.Ask[int](t, b, rows+`.length`))
	assert.Equal(t, "2 of 155 classes", browser.Ask[string](t, b, `document.getElementById("matches").textContent`))

	// The dominator tree opens and closes.
	const open = `document.querySelectorAll("#tree details[open]").length`
	b.Do(t, chromedp.Click(`[data-tree="close"]`, chromedp.ByQuery))
	assert.Zero(t, browser.Ask[int](t, b, open))
	b.Do(t, chromedp.Click("#tree summary", chromedp.ByQuery))
	assert.Equal(t, 1, browser.Ask[int](t, b, open))
	b.Do(t, chromedp.Click(`[data-tree="open"]`, chromedp.ByQuery))
	assert.Greater(t, browser.Ask[int](t, b, open), 1)

	// A box of the icicle takes the whole width, and gives it back.
	const box = `[...document.querySelectorAll("#consumers .box")].find((b) => b.textContent.includes("AbstractJdbc2Statement"))`
	before := browser.Ask[string](t, b, box+`.getAttribute("width")`)
	assert.NotEqual(t, "100%", before)
	browser.Ask[any](t, b, box+`.dispatchEvent(new MouseEvent("click"))`)
	assert.Equal(t, "100%", browser.Ask[string](t, b, box+`.getAttribute("width")`))
	browser.Ask[any](t, b, box+`.dispatchEvent(new KeyboardEvent("keydown", {key: "Enter"}))`)
	assert.InDelta(t, 80.8, browser.Ask[float64](t, b, `parseFloat(`+box+`.getAttribute("width"))`), 0.1)

	// The theme changes the colours, not only the button.
	paper := `getComputedStyle(document.body).backgroundColor`
	b.Do(t, chromedp.Click("#theme", chromedp.ByQuery))
	light := browser.Ask[string](t, b, paper)
	b.Do(t, chromedp.Click("#theme", chromedp.ByQuery))
	assert.NotEqual(t, light, browser.Ask[string](t, b, paper))

	assert.LessOrEqual(t, browser.Ask[int](t, b, `document.documentElement.scrollWidth - innerWidth`), 0, "nothing sticks out to the right")
	b.AssertQuiet(t, address)
}

// Names that are markup and script stay text in a real browser too.
func TestHostilePageInABrowser(t *testing.T) {
	r := rewritten(seedReport(), func(s string) string {
		return `"'></text></svg></title><script>window.owned=1</script><img src=http://192.0.2.1/x onerror=window.owned=1>` + s
	})
	b, address := openBrowser(t, page(t, r))
	assert.True(t, browser.Ask[bool](t, b, `window.owned === undefined`))
	assert.Zero(t, browser.Ask[int](t, b, `document.images.length`))
	assert.True(t, browser.Ask[bool](t, b, `document.documentElement.classList.contains("js")`))
	b.AssertQuiet(t, address)
}
