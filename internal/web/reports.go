package web

import (
	"cmp"
	"html"
	"io"
	"io/fs"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	// reportSuffix ends the names of reports' pages.
	reportSuffix = ".report.html"
	// maxReports bounds the list of reports.
	maxReports = 200
	// maxReportBytes bounds a page that is served: real ones have at most two megabytes.
	maxReportBytes = 8 << 20
	// maxTitleBytes is where its title has ended.
	maxTitleBytes = 8 << 10
	// reportPolicy shuts a report in: it is drawn from what a JVM left, so it gets an
	// origin of its own and may reach nothing. The page itself is stricter still.
	reportPolicy = "sandbox allow-scripts; default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; " +
		"img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

// reportRow is a report in the list. Verdict is its title, empty where it has none.
type reportRow struct {
	File, Name, Written, Verdict string
	at                           time.Time
}

// reportRoutes serve the list of reports and their pages, and nothing else of the folder:
// beside them lie heap dumps, which hold every secret of their JVM.
func reportRoutes(mux *http.ServeMux, show *pages, folder fs.FS) {
	page := show.handler("reports.html", "Heap dumps")
	mux.HandleFunc("GET /reports", func(w http.ResponseWriter, r *http.Request) {
		rows, err := listReports(folder)
		if err != nil {
			http.Error(w, "the reports cannot be listed", http.StatusInternalServerError)
			return
		}
		page(w, r, rows)
	})
	names := regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]*` + regexp.QuoteMeta(reportSuffix) + `$`)
	mux.HandleFunc("GET /reports/{name}", func(w http.ResponseWriter, r *http.Request) {
		name := r.PathValue("name")
		if !names.MatchString(name) {
			http.NotFound(w, r)
			return
		}
		file, err := folder.Open(name)
		if err != nil {
			http.NotFound(w, r)
			return
		}
		defer file.Close()
		if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() || info.Size() > maxReportBytes {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Security-Policy", reportPolicy)
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		_, _ = io.Copy(w, io.LimitReader(file, maxReportBytes))
	})
}

// listReports lists the reports, the latest first.
func listReports(folder fs.FS) ([]reportRow, error) {
	entries, err := fs.ReadDir(folder, ".")
	if err != nil {
		return nil, err
	}
	var rows []reportRow
	for _, e := range entries {
		name, isReport := strings.CutSuffix(e.Name(), reportSuffix)
		info, err := e.Info()
		if !isReport || err != nil || !info.Mode().IsRegular() {
			continue
		}
		rows = append(rows, reportRow{File: e.Name(), Name: name, Written: info.ModTime().UTC().Format(time.RFC3339), at: info.ModTime()})
	}
	slices.SortFunc(rows, func(a, b reportRow) int { return cmp.Or(b.at.Compare(a.at), cmp.Compare(a.File, b.File)) })
	rows = rows[:min(len(rows), maxReports)]
	for i := range rows {
		rows[i].Verdict = verdictOf(folder, rows[i].File)
	}
	return rows, nil
}

// verdictOf is what the title of a report's page says before the name of its dump.
func verdictOf(folder fs.FS, name string) string {
	file, err := folder.Open(name)
	if err != nil {
		return ""
	}
	defer file.Close()
	head, err := io.ReadAll(io.LimitReader(file, maxTitleBytes))
	if err != nil {
		return ""
	}
	_, title, _ := strings.Cut(string(head), "<title>")
	title, _, whole := strings.Cut(title, "</title>")
	verdict, _, _ := strings.Cut(title, " · ")
	if !whole {
		return ""
	}
	return html.UnescapeString(verdict)
}
