package main

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"text/template"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/config"
)

// chartFunctions are those of Helm that the chart uses.
func chartFunctions() template.FuncMap {
	toYAML := func(v any) (string, error) {
		text, err := yaml.Marshal(v)
		return strings.TrimSpace(string(text)), err
	}
	indent := func(n int, text string) string {
		pad := strings.Repeat(" ", n)
		return pad + strings.ReplaceAll(text, "\n", "\n"+pad)
	}
	var merge func(into, from map[string]any) map[string]any
	merge = func(into, from map[string]any) map[string]any {
		for k, v := range from {
			if inner, ok := v.(map[string]any); ok {
				if old, ok := into[k].(map[string]any); ok {
					into[k] = merge(old, inner)
					continue
				}
			}
			into[k] = v
		}
		return into
	}
	return template.FuncMap{
		"toYaml": toYAML, "indent": indent, "mergeOverwrite": merge, "quote": strconv.Quote,
		"nindent":  func(n int, text string) string { return "\n" + indent(n, text) },
		"deepCopy": func(m map[string]any) map[string]any { return maps.Clone(m) },
		"dict": func(pairs ...any) map[string]any {
			m := map[string]any{}
			for i := 0; i < len(pairs); i += 2 {
				m[pairs[i].(string)] = pairs[i+1]
			}
			return m
		},
		"default": func(otherwise, v any) any {
			if v == nil || v == "" {
				return otherwise
			}
			return v
		},
		"required": func(why string, v any) (any, error) {
			if v == nil || v == "" {
				return nil, errors.New(why)
			}
			return v, nil
		},
		"int":  func(n int) int { return n },
		"add1": func(n uint64) int { return int(n) + 1 },
		"untilStep": func(from, until, step int) (out []int) {
			for ; from < until; from += step {
				out = append(out, from)
			}
			return out
		},
	}
}

// renderChart gives the objects of the chart, by kind and name, with its values changed.
func renderChart(t *testing.T, change string) (map[string]map[string]any, error) {
	t.Helper()
	const chart = "../../deploy/helm/apm-sidecar/"
	text, err := os.ReadFile(chart + "values.yaml")
	require.NoError(t, err)
	var values, changes map[string]any
	require.NoError(t, yaml.Unmarshal(text, &values))
	require.NoError(t, yaml.Unmarshal([]byte(change), &changes))
	functions := chartFunctions()
	values = functions["mergeOverwrite"].(func(into, from map[string]any) map[string]any)(values, changes)
	page, err := template.New("all.yaml").Funcs(functions).Option("missingkey=zero").ParseFiles(chart + "templates/all.yaml")
	require.NoError(t, err)
	var out bytes.Buffer
	if err := page.Execute(&out, map[string]any{
		"Values":  values,
		"Release": map[string]string{"Name": "rel", "Namespace": "ns"},
		"Chart":   map[string]string{"AppVersion": "0.1.0"},
	}); err != nil {
		return nil, err
	}
	objects := map[string]map[string]any{}
	decoder := yaml.NewDecoder(&out)
	for {
		var o map[string]any
		err := decoder.Decode(&o)
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		require.NoError(t, err)
		objects[o["kind"].(string)+" "+o["metadata"].(map[string]any)["name"].(string)] = o
	}
}

// configIn is the configuration that the pods of a chart get.
func configIn(t *testing.T, objects map[string]map[string]any) config.Config {
	t.Helper()
	token := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(token, []byte("x"), 0o600))
	text := objects["ConfigMap rel"]["data"].(map[string]any)["config.yaml"].(string)
	file := filepath.Join(t.TempDir(), "config.yaml")
	require.NoError(t, os.WriteFile(file, []byte(strings.ReplaceAll(text, "/run/secrets/apm-sidecar/spans-token", token)), 0o600))
	c, err := config.Load(file, func(string) string { return "" })
	require.NoError(t, err)
	require.NoError(t, c.Validate())
	return c
}

func TestChart(t *testing.T) {
	t.Parallel()
	plain, err := renderChart(t, "{}")
	require.NoError(t, err)
	assert.Len(t, plain, 6)
	assert.Empty(t, configIn(t, plain).Transactions.Spans.Listen)

	spans, err := renderChart(t, "{shards: 2, spans: {enabled: true, tokenSecret: {name: tok}}}")
	require.NoError(t, err)
	assert.Contains(t, spans, "Service rel-spans")
	assert.Contains(t, spans, "StatefulSet rel-2")
	assert.Equal(t, "0.0.0.0:4318", configIn(t, spans).Transactions.Spans.Listen)
	pod := spans["StatefulSet rel-1"]["spec"].(map[string]any)["template"].(map[string]any)["spec"].(map[string]any)
	container := pod["containers"].([]any)[0].(map[string]any)
	assert.Equal(t, "apm-sidecar:0.1.0", container["image"])
	assert.Equal(t, []any{"run", "--config", "/etc/apm-sidecar/config.yaml", "--shard", "1/2"}, container["args"])
	assert.Equal(t, "spans", container["ports"].([]any)[0].(map[string]any)["name"])

	_, err = renderChart(t, "{spans: {enabled: true}}")
	assert.ErrorContains(t, err, "spans.tokenSecret.name")
}
