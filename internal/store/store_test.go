package store_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/series"
	"github.com/apm-sidecar/apm-sidecar/internal/store"
)

// holdEnv makes the test binary open the store in the folder it names, say so
// and hold it until its standard input ends.
const holdEnv = "STORE_TEST_HOLD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(holdEnv); dir != "" {
		os.Exit(hold(dir))
	}
	if dir := os.Getenv(loseEnv); dir != "" {
		lose(dir)
	}
	if dir := os.Getenv(fullEnv); dir != "" {
		os.Exit(liveWithoutAByte(dir, os.Getenv(fullWayEnv)))
	}
	os.Exit(m.Run())
}

func hold(dir string) int {
	s, err := store.Open(store.Options{Dir: dir})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("open")
	_, _ = io.Copy(io.Discard, os.Stdin)
	if s.Close() != nil {
		return 1
	}
	return 0
}

func open(t *testing.T, dir string) *store.Store {
	t.Helper()
	s, err := store.Open(store.Options{Dir: dir})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s
}

func get(t *testing.T, h http.Handler, target string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
	return w
}

// exported is one line of /api/v1/export.
type exported struct {
	Metric     map[string]string `json:"metric"`
	Values     []float64         `json:"values"`
	Timestamps []int64           `json:"timestamps"`
}

func export(t *testing.T, h http.Handler, match string) []exported {
	t.Helper()
	w := get(t, h, "/api/v1/export?match[]="+url.QueryEscape(match))
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	var out []exported
	for dec := json.NewDecoder(w.Body); dec.More(); {
		var e exported
		require.NoError(t, dec.Decode(&e))
		out = append(out, e)
	}
	return out
}

func sample(nowMs int64, value float64) series.Sample {
	return series.Sample{
		Name:   "jvm_memory_used_bytes",
		Labels: []series.Label{{Name: "area", Value: "heap"}, {Name: "instance", Value: "a:1"}},
		TimeMs: nowMs, Value: value,
	}
}

func TestWrittenSamplesAreReadBackAfterReopening(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "store")
	now := time.Now().Add(-time.Minute).UnixMilli() // out of reach of the latency offset
	want := []exported{{
		Metric:     map[string]string{"__name__": "jvm_memory_used_bytes", "area": "heap", "instance": "a:1"},
		Values:     []float64{41, 42},
		Timestamps: []int64{now - 1000, now},
	}}

	s := open(t, dir)
	batch := []series.Sample{sample(now-1000, 41), sample(now, 42), sample(now-2000, math.NaN()), sample(now-2000, math.Inf(1))}
	require.NoError(t, s.Write(batch))
	require.NoError(t, s.Write(batch), "writing twice is harmless")
	s.Flush()
	assert.Equal(t, want, export(t, s.Handler(), "jvm_memory_used_bytes"))
	require.NoError(t, s.Close())
	assert.ErrorIs(t, s.Write(batch), store.ErrClosed)
	assert.Equal(t, http.StatusServiceUnavailable, get(t, s.Handler(), "/api/v1/query?query=up").Code)

	s = open(t, dir)
	assert.Equal(t, want, export(t, s.Handler(), "jvm_memory_used_bytes"))
	got := get(t, s.Handler(), "/api/v1/query?query=jvm_memory_used_bytes&time="+fmt.Sprint(now/1000+1))
	assert.Equal(t, http.StatusOK, got.Code)
	assert.Contains(t, got.Body.String(), `"42"`)
}

func TestOnlyReadingRoutesExist(t *testing.T) {
	s := open(t, t.TempDir())
	for _, target := range []string{
		"/api/v1/query?query=1", "/api/v1/query_range?query=1", "/api/v1/series?match[]=up", "/api/v1/labels",
		"/api/v1/label/job/values", "/api/v1/export?match[]=up", "/api/v1/status/tsdb", "/api/v1/status/buildinfo",
		"/prometheus/api/v1/query?query=1", "/prometheus/api/v1/label/job/values", "/prometheus/api/v1/metadata",
		"/vmui/", "/vmui/config.json", "/vmui/custom-dashboards", "/vmui/timezone",
	} {
		w := get(t, s.Handler(), target)
		assert.Equal(t, http.StatusOK, w.Code, target)
		assert.Empty(t, w.Header().Get("Access-Control-Allow-Origin"), target)
	}
	for _, target := range []string{
		"/api/v1/admin/tsdb/delete_series?match[]=up", "/prometheus/api/v1/admin/tsdb/delete_series?match[]=up",
		"/tags/delSeries", "/snapshot/create", "/snapshot/list", "/internal/force_flush", "/internal/force_merge",
		"/internal/resetRollupResultCache", "/-/reload", "/config", "/flags", "/api/v1/write", "/api/v1/import",
		"/api/v1/import/prometheus", "/write", "/metric-relabel-debug", "/debug/pprof/", "/federate", "/vmalert/",
		"/api/v1/admin/status/metric_names_stats/reset", "/graph/", "/render", "/vmui/nothing.js",
		"/prometheus/prometheus/api/v1/query?query=1",
		"/api/v1/label/..%2f..%2f..%2finternal%2fforce_flush%3f/values/", "/vmui/%2e%2e/internal/force_flush",
		"/vmui/%2fsnapshot/list",
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
			w := httptest.NewRecorder()
			s.Handler().ServeHTTP(w, httptest.NewRequest(method, target, nil))
			assert.NotContains(t, []int{http.StatusOK, http.StatusNoContent, http.StatusInternalServerError}, w.Code, "%s %s", method, target)
		}
	}
}

func TestQueriesByPostAreBounded(t *testing.T) {
	s := open(t, t.TempDir())
	post := func(body string) int {
		r := httptest.NewRequest(http.MethodPost, "/api/v1/query", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		return w.Code
	}
	assert.Equal(t, http.StatusOK, post("query=1%2B1"))
	assert.GreaterOrEqual(t, post("query=1%2B1"+strings.Repeat("+", 2<<20)), 400)
}

func TestEmbeddedDashboardsAreServed(t *testing.T) {
	s := open(t, t.TempDir())
	w := get(t, s.Handler(), "/vmui/custom-dashboards")
	assert.Equal(t, "application/json", w.Header().Get("Content-Type"))
	var got struct {
		DashboardsSettings []struct {
			Title string `json:"title"`
		} `json:"dashboardsSettings"`
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &got))
	require.NotEmpty(t, got.DashboardsSettings)
	assert.Equal(t, "JVM memory and finalizers", got.DashboardsSettings[0].Title)
}

func TestOpenRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	foreign := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(foreign, "tmp", "precious"), 0o700))

	for name, c := range map[string]struct {
		opts store.Options
		want string
		is   error
	}{
		"no folder":         {store.Options{}, "no folder given", nil},
		"short retention":   {store.Options{Dir: t.TempDir(), Retention: time.Hour}, "shorter than the minimum", nil},
		"negative memory":   {store.Options{Dir: t.TempDir(), MemoryBytes: -1}, "negative memory limit", nil},
		"a file":            {store.Options{Dir: file}, "not a directory", nil},
		"below a file":      {store.Options{Dir: filepath.Join(file, "x")}, "not a directory", nil},
		"folder of another": {store.Options{Dir: foreign}, "choose another folder", store.ErrForeign},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := store.Open(c.opts)
			require.ErrorContains(t, err, c.want)
			if c.is != nil {
				assert.ErrorIs(t, err, c.is)
			}
		})
	}
	assert.DirExists(t, filepath.Join(foreign, "tmp", "precious"))
	open(t, t.TempDir()) // a refused one leaves the way free
}

func TestOneOpenStorePerProcess(t *testing.T) {
	open(t, t.TempDir())
	_, err := store.Open(store.Options{Dir: t.TempDir()})
	assert.ErrorIs(t, err, store.ErrInUse)
}

func TestFolderHeldByAnotherProcess(t *testing.T) {
	dir := t.TempDir()
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), holdEnv+"="+dir)
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line := make([]byte, 5)
	_, err = io.ReadFull(stdout, line)
	require.NoError(t, err)
	require.Equal(t, "open\n", string(line))

	_, err = store.Open(store.Options{Dir: dir})
	require.ErrorIs(t, err, store.ErrInUse)
	assert.ErrorContains(t, err, "another apm-sidecar uses "+dir)

	require.NoError(t, stdin.Close())
	require.NoError(t, cmd.Wait())
	open(t, dir)
}

func TestEngineLogsArriveAsRecords(t *testing.T) {
	var buf bytes.Buffer
	l := slog.New(slog.NewJSONHandler(&buf, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s, err := store.Open(store.Options{Dir: t.TempDir(), Logger: l})
	require.NoError(t, err)
	require.NoError(t, s.Close())

	var record struct{ Level, Msg, Text, Location string }
	line, _, _ := bytes.Cut(buf.Bytes(), []byte("\n"))
	require.NoError(t, json.Unmarshal(line, &record))
	assert.Equal(t, "DEBUG", record.Level)
	assert.Equal(t, "engine", record.Msg)
	assert.Contains(t, record.Text, "opening storage at")
	assert.True(t, strings.HasPrefix(record.Location, "app/vmstorage/main.go:"), record.Location)
}

// TestOwnMetricsAreKept: what others say of themselves is not.
func TestOwnMetricsAreKept(t *testing.T) {
	s := open(t, t.TempDir())
	require.NoError(t, s.WriteText("# HELP x y\napm_sidecar_a{url=\"u\"} 1\napm_sidecar_b{instance=\"other\"} 2\nprocess_c 3\n\xff broken {\n",
		[]series.Label{{Name: "instance", Value: "me"}}, time.Now().Add(-time.Minute)))
	s.Flush()
	got := export(t, s.Handler(), `{__name__=~".+"}`)
	require.Len(t, got, 1)
	assert.Equal(t, map[string]string{"__name__": "apm_sidecar_a", "instance": "me", "url": "u"}, got[0].Metric)
}
