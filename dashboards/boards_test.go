package dashboards_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the dashboards anew from their sources")

// board is a dashboard as it is written in source/*.yml.
type board struct {
	Title string `yaml:"title"`
	// UID is the dashboard's address in Grafana.
	UID  string `yaml:"uid"`
	Rows []struct {
		Title  string  `yaml:"title"`
		Panels []panel `yaml:"panels"`
	} `yaml:"rows"`
}

// panel is one chart. Expressions have $target in the place of the labels that choose
// JVMs, and $window in that of the range over which a rate is taken.
type panel struct {
	Title string `yaml:"title"`
	Text  string `yaml:"text"`
	// Unit is Grafana's word: bytes, Bps, s, percentunit; empty for plain numbers.
	Unit string `yaml:"unit"`
	// Kind is timeseries (empty) or stat.
	Kind   string `yaml:"kind"`
	Series []struct {
		Expr   string `yaml:"expr"`
		Legend string `yaml:"legend"`
		// Lowest says that low values are those to worry about.
		Lowest bool `yaml:"lowest"`
	} `yaml:"series"`
}

// boards reads the sources by file name, without its ending.
func boards(t *testing.T) map[string]board {
	t.Helper()
	files, err := filepath.Glob("source/*.yml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	out := map[string]board{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var b board
		require.NoError(t, yaml.UnmarshalWithOptions(text, &b, yaml.Strict()), file)
		out[strings.TrimSuffix(filepath.Base(file), ".yml")] = b
	}
	return out
}

// TestBoardsAreMadeFromTheirSources compares the committed dashboards with their sources,
// or writes them with -update.
func TestBoardsAreMadeFromTheirSources(t *testing.T) {
	want := map[string]any{}
	for name, b := range boards(t) {
		want["vmui/"+name+".json"] = vmuiOf(b)
		plain := name[strings.Index(name, "-")+1:] // the number is for the order of vmui's tabs
		want["grafana/"+plain+".json"] = grafanaOf(b, "prometheus", "")
		want["grafana/victoriametrics/"+plain+".json"] = grafanaOf(b, "victoriametrics-metrics-datasource", "-vm")
	}
	for file, v := range want {
		var text bytes.Buffer
		enc := json.NewEncoder(&text)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		require.NoError(t, enc.Encode(v))
		if *update {
			require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
			require.NoError(t, os.WriteFile(file, text.Bytes(), 0o644))
		}
		got, err := os.ReadFile(file)
		require.NoError(t, err, "renew it: go test ./dashboards -run TestBoards -update")
		assert.Equal(t, text.String(), string(got), "%s: renew it: go test ./dashboards -run TestBoards -update", file)
	}
	for _, pattern := range []string{"vmui/*.json", "grafana/*.json", "grafana/*/*.json"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, file := range files {
			assert.Contains(t, want, filepath.ToSlash(file), "without a source")
		}
	}
}
