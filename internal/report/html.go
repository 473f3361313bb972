package report

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
)

//go:embed page/page.html
var pageHTML string

//go:embed page/page.css
var pageCSS string

//go:embed page/page.js
var pageJS string

// maxPageBytes bounds the HTML form, so that it can be mailed and opens at once.
const maxPageBytes = 2_000_000

// pageBound is how much of a report a page shows: rows of a list and characters of a
// string.
type pageBound struct{ rows, runes int }

// pageBounds are tried from the most generous to the tightest, which always fits.
func pageBounds() []pageBound {
	return []pageBound{{1000, maxStringRunes}, {1000, 300}, {500, 150}, {150, 100}, {30, 60}}
}

// HTML writes the report as one page that needs nothing else: no file, no host. It is
// whole without script, which only sorts, filters, and zooms. The page has at most two
// megabytes.
func HTML(w io.Writer, r *Report) error {
	page, err := template.New("page").Parse(pageHTML)
	if err != nil {
		return fmt.Errorf("parse the page: %w", err)
	}
	var out bytes.Buffer
	for _, bound := range pageBounds() {
		out.Reset()
		if err := page.Execute(&out, newPageView(r, bound)); err != nil {
			return fmt.Errorf("render the page: %w", err)
		}
		if out.Len() <= maxPageBytes {
			break
		}
	}
	_, err = w.Write(out.Bytes())
	return err
}

// policy is the page's Content-Security-Policy: its own style and its own script, known
// by their hashes, and nothing else, whatever a dump's names say.
func policy() template.HTML {
	hash := func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return template.HTML(fmt.Sprintf(`<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; `+
		`style-src %s; script-src %s; base-uri 'none'; form-action 'none'">`, hash(pageCSS), hash(pageJS)))
}
