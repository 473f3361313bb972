package series_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/agent"
	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

const metricsDoc = "../../docs/metrics.md"

// TestMetricsDoc holds docs/metrics.md to the catalogue; -update writes it.
func TestMetricsDoc(t *testing.T) {
	want := renderDoc()
	if flag.Lookup("update").Value.String() == "true" {
		require.NoError(t, os.WriteFile(metricsDoc, []byte(want), 0o600))
	}
	got, err := os.ReadFile(metricsDoc)
	require.NoError(t, err)
	assert.Equal(t, want, string(got), "run: go test ./internal/series -run TestMetricsDoc -update")
}

func renderDoc() string {
	var b strings.Builder
	b.WriteString(`# Metrics

Written by a test from the catalogue in ` + "`internal/series`" + `; don't edit. To renew it:
` + "`go test ./internal/series -run TestMetricsDoc -update`" + `.

Every series has the labels ` + "`job`" + ` (the target's name, ` + "`jvm`" + ` without one) and ` + "`instance`" + `
(host and port of the Jolokia URL unless the label is set), and the target's own labels; one of
a name that metrics bring along has ` + "`target_`" + ` before it.
A value that the JVM does not know is left out; it is never 0 or -1. When a JVM is down,
` + "`up`" + ` is 0 and its other series end: they get a staleness marker, so that queries don't repeat
the last values. The same goes for a series that a restarted JVM does not have any more.

Names and labels are those of Prometheus' client_java 1.x where it has the metric. The
labels ` + "`area`" + ` and ` + "`kind`" + ` of pools and ` + "`phase`" + ` and ` + "`generation`" + ` of collectors are additions:
one word under every collector. With ` + "`naming: otel`" + ` metrics that OpenTelemetry's semantic
conventions have go by their names instead (at the end of this page).

Most metrics are polled at every ` + "`interval`" + `; classes, buffers, limits, peaks, thread states and
deadlocks at every ` + "`slow_interval`" + `, and not of a JVM younger than 30 seconds or slow to answer.

| label | values |
|---|---|
| area | heap, nonheap |
| kind | eden, survivor, young, old, single (the whole heap in one pool), metaspace, class_space (a part of metaspace: don't add), code, other |
| phase | pause (the application stands still), concurrent |
| generation | young, old, all |
| window | poll (since the last poll), 1m, 5m |

| metric | type | unit | labels | meaning |
|---|---|---|---|---|
`)
	writeRows(&b, series.Catalogue())
	b.WriteString(`
## The sidecar's own

Served at ` + "`/metrics`" + `, beside ` + "`go_`" + `... and ` + "`process_`" + `... of the sidecar's own process. The
embedded store keeps those that are of no target, as ` + "`job=\"apm-sidecar\"`" + `; have the others scraped. The url of a
receiver is shown without its credentials.

| metric | type | unit | labels | meaning |
|---|---|---|---|---|
`)
	writeRows(&b, series.Own())
	b.WriteString(`
For each target, with the labels ` + "`job`" + ` and ` + "`instance`" + `:

| metric | type | unit | labels | meaning |
|---|---|---|---|---|
`)
	writeRows(&b, agent.OwnMetrics())
	b.WriteString(`
## Names with naming: otel

What is not listed keeps its name. Sums over all pools replace the totals by area.

| metric | becomes |
|---|---|
`)
	for _, m := range series.Catalogue() {
		if name := series.NamingOTel.Metric(m.Name); name == "" {
			fmt.Fprintf(&b, "| `%s` | left out |\n", m.Name)
		} else if name != m.Name {
			fmt.Fprintf(&b, "| `%s` | `%s` |\n", m.Name, name)
		}
	}
	return b.String()
}

func writeRows(b *strings.Builder, metrics []series.Metric) {
	for _, m := range metrics {
		labels := "-"
		if len(m.Labels) > 0 {
			labels = strings.Join(m.Labels, ", ")
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s |\n", m.Name, m.Type, m.Unit, labels, m.Help)
	}
}
