package web

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The folder holds dumps and whatever the JVM's user puts there; only pages of reports
// come out of it.
func TestReports(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	write("tomcat-8080-20261121T130211Z.report.html", "<title>CRITICAL: 7 &#34;x&#34; held · /dump</title><p>the report</p>")
	write("tomcat-8080-20261121T130211Z.report.json", "{}")
	write("tomcat-8080-20261121T130211Z.hprof", "JAVA PROFILE secret")
	outside := filepath.Join(t.TempDir(), "outside")
	require.NoError(t, os.WriteFile(outside, []byte("secret"), 0o600))
	require.NoError(t, os.Symlink(outside, filepath.Join(dir, "link.report.html")))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "folder.report.html"), 0o700))
	root, err := os.OpenRoot(dir)
	require.NoError(t, err)
	defer root.Close()

	mux := http.NewServeMux()
	reportRoutes(mux, newPages(Options{}), root.FS())
	server := httptest.NewServer(withHeaders(mux))
	defer server.Close()
	get := func(path string) (int, string, http.Header) {
		response, err := http.Get(server.URL + path)
		require.NoError(t, err)
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return response.StatusCode, string(body), response.Header
	}

	status, body, _ := get("/reports")
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, 1, strings.Count(body, `href="/reports/`), body)
	assert.Contains(t, body, `<span class="any">CRITICAL: 7 &#34;x&#34; held</span>`)
	assert.Contains(t, body, `href="/reports/tomcat-8080-20261121T130211Z.report.html"`)
	status, body, header := get("/reports/tomcat-8080-20261121T130211Z.report.html")
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, body, "<p>the report</p>")
	assert.Contains(t, header.Get("Content-Security-Policy"), "sandbox allow-scripts; default-src 'none'")
	assert.Equal(t, "DENY", header.Get("X-Frame-Options"))
	for _, name := range []string{
		"tomcat-8080-20261121T130211Z.hprof", "tomcat-8080-20261121T130211Z.report.json", "link.report.html", "folder.report.html",
		"missing.report.html", ".report.html", "..%2foutside.report.html", "",
	} {
		status, body, _ := get("/reports/" + name)
		assert.Equal(t, http.StatusNotFound, status, name)
		assert.NotContains(t, body, "secret", name)
	}
}
