package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

//go:embed ui
var ui embed.FS

// pagePolicy lets our own pages load from this server alone, with no style or script
// in the page itself, and send forms to this server alone.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// link is an entry of the navigation.
type link struct{ Path, Label string }

// pages shows our own pages, each a template of the folder ui in the common layout.
type pages struct{ nav []link }

// newPages links in the navigation what the options have.
func newPages(opts Options) *pages {
	p := &pages{}
	add := func(there bool, links ...link) {
		if there {
			p.nav = append(p.nav, links...)
		}
	}
	add(opts.Transactions != nil, link{"/transactions", "Transactions"}, link{"/topology", "Topology"})
	add(opts.Targets != nil, link{"/targets", "Targets"})
	add(opts.Alerts != nil, link{"/alerts", "Alerts"})
	add(opts.Reports != nil, link{"/reports", "Heap dumps"})
	add(opts.Store != nil, link{"/vmui/#/dashboards", "Dashboards"})
	return p
}

// handler answers with the page of a file of ui, filled with data.
func (p *pages) handler(file, title string) func(w http.ResponseWriter, r *http.Request, data any) {
	page := template.Must(template.ParseFS(ui, "ui/layout.html", "ui/"+file))
	return func(w http.ResponseWriter, r *http.Request, data any) {
		view := struct {
			Title, Here string
			Nav         []link
			Data        any
		}{Title: title, Here: r.URL.Path, Nav: p.nav, Data: data}
		var body bytes.Buffer
		if err := page.ExecuteTemplate(&body, "layout.html", view); err != nil {
			http.Error(w, "page cannot be rendered", http.StatusInternalServerError)
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", pagePolicy)
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Cache-Control", "no-store")
		_, _ = w.Write(body.Bytes())
	}
}

// assetTypes are the media types of assets by file extension; those that the machine
// has registered may be wrong.
func assetTypes() map[string]string {
	return map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
}

// assetRoutes serves the styles and scripts of the pages. A browser asks each time
// whether what it has is still good, so a new version of the program is seen at once.
func assetRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /assets/{name}", func(w http.ResponseWriter, r *http.Request) {
		name := r.PathValue("name")
		content, err := fs.ReadFile(ui, path.Join("ui", name))
		kind, served := assetTypes()[path.Ext(name)]
		if err != nil || !served {
			http.NotFound(w, r)
			return
		}
		sum := sha256.Sum256(content)
		h := w.Header()
		h.Set("Content-Type", kind)
		h.Set("Cache-Control", "no-cache")
		h.Set("ETag", fmt.Sprintf("%q", hex.EncodeToString(sum[:8])))
		if strings.Contains(r.Header.Get("If-None-Match"), hex.EncodeToString(sum[:8])) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = w.Write(content)
	})
}
