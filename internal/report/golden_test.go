package report

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// The name of a golden file says the report, the renderer and its options.
func TestGoldens(t *testing.T) {
	text := func(render func(io.Writer, *Report, TextOptions) error, o TextOptions) func(io.Writer, *Report) error {
		return func(w io.Writer, r *Report) error { return render(w, r, o) }
	}
	reports := map[string]func() *Report{
		"seed": seedReport, "healthy": healthyReport, "truncated": truncatedReport, "histogram": histogramReport, "stuck": stuckReport,
	}
	forms := map[string]func(io.Writer, *Report) error{
		"json":                 JSON,
		"md":                   Markdown,
		"plain.text":           text(Text, TextOptions{}),
		"80.text":              text(Text, TextOptions{Width: 80}),
		"140.color.text":       text(Text, TextOptions{Width: 140, Color: true}),
		"verdict.80.text":      text(Verdict, TextOptions{Width: 80}),
		"histogram-80.text":    text(HistogramText, TextOptions{Width: 80}),
		"histogram-plain.text": text(HistogramText, TextOptions{}),
	}
	for reportName, build := range reports {
		for form, render := range forms {
			if strings.HasPrefix(form, "histogram") != (reportName == "histogram") && form != "json" && form != "80.text" && form != "md" {
				continue
			}
			name := reportName + "." + form
			t.Run(name, func(t *testing.T) {
				var got bytes.Buffer
				require.NoError(t, render(&got, build()))
				golden(t, name, got.Bytes())
			})
		}
	}
}

// golden compares with a file in testdata, or writes it with -update.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "go test ./internal/report -update writes it")
	assert.Equal(t, string(want), string(got))
}
