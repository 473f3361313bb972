package archtest

import (
	"fmt"
	"slices"
	"strings"
)

// module is the path all our packages begin with.
const module = "github.com/apm-sidecar/apm-sidecar/"

// half is one of the two products.
type half string

// The halves; shared packages belong to both.
const (
	sidecar half = "sidecar"
	heap    half = "heap"
	shared  half = "shared"
)

// place is where a package stands: imports go to a lower row of the same half.
type place struct {
	half half
	row  int
}

// places lists every unit of the tree. A unit is a folder under internal/ or cmd/
// with all that is below it; its own packages may import each other.
func places() map[string]place {
	return map[string]place{
		"cmd/apm-sidecar":   {sidecar, 6},
		"internal/config":   {sidecar, 5},
		"internal/agent":    {sidecar, 4},
		"internal/doctor":   {sidecar, 4},
		"internal/jmx":      {sidecar, 3},
		"internal/tx":       {sidecar, 2},
		"internal/push":     {sidecar, 3},
		"internal/database": {sidecar, 3},
		"internal/store":    {sidecar, 3},
		"internal/alert":    {sidecar, 3},
		"internal/web":      {sidecar, 3},
		"internal/discover": {sidecar, 3},
		"internal/host":     {sidecar, 2},
		"internal/series":   {sidecar, 2},
		"internal/vmlog":    {sidecar, 2},
		"internal/jvm":      {sidecar, 1},
		"internal/otlp":     {sidecar, 1},
		"internal/attach":   {sidecar, 1},
		"cmd/heapscan":      {heap, 6},
		"internal/scan":     {heap, 4},
		"internal/report":   {heap, 3},
		"internal/finding":  {heap, 2},
		"internal/heap":     {heap, 1},
		"internal/hprof":    {heap, 0},
		"internal/offheap":  {heap, -1},
		"internal/cores":    {heap, -1},
		"dashboards":        {sidecar, 0},
		"internal/term":     {shared, 5},
		"internal/unit":     {shared, -1},
	}
}

// crossings are the only imports from one half to the other: the call that
// analyses a dump, and the report that it returns.
func crossings() [][2]string {
	return [][2]string{{"internal/agent", "internal/scan"}, {"internal/agent", "internal/report"}}
}

// owners says which units may import a library, by the library's prefix. Every
// library that the product imports is listed; those without units are free.
func owners() map[string][]string {
	cmd := []string{"cmd/apm-sidecar", "cmd/heapscan"}
	return map[string][]string{
		"github.com/go-resty/resty/":                     {"internal/jmx"},
		"github.com/VictoriaMetrics/VictoriaMetrics/app": {"internal/store", "internal/alert"},
		"github.com/VictoriaMetrics/VictoriaMetrics/lib": {"internal/push", "internal/store", "internal/discover", "internal/alert", "internal/vmlog"},
		"github.com/VictoriaMetrics/metrics":             {"internal/alert", "internal/agent", "internal/otlp", "internal/push", "internal/web"},
		"github.com/VictoriaMetrics/easyproto":           {"internal/otlp"},
		"github.com/valyala/fastjson":                    {"internal/jmx"},
		"github.com/spf13/cobra":                         cmd,
		"github.com/spf13/pflag":                         cmd,
		"github.com/charmbracelet/":                      {"internal/term"},
		"github.com/vbauerster/mpb/":                     {"internal/term"},
		"github.com/mattn/go-isatty":                     {"internal/term"},
		"github.com/jedib0t/go-pretty/":                  {"internal/report"},
		"github.com/google/pprof/":                       {"internal/report"},
		"github.com/dustin/go-humanize":                  {"internal/unit"},
		"github.com/parquet-go/parquet-go":               {"internal/scan"},
		"github.com/goccy/go-yaml":                       {"internal/config", "internal/discover"},
		"gopkg.in/yaml.v2":                               {"internal/alert"},
		"github.com/klauspost/compress":                  {"internal/hprof", "internal/push"},
		"github.com/cenkalti/backoff/":                   {"internal/push"},
		"github.com/lib/pq":                              {"internal/database"},
		"golang.org/x/net/http/httpguts":                 {"internal/config"},
		"golang.org/x/sync":                              nil,
		"golang.org/x/sys":                               nil,
	}
}

// unitOf is the unit that a package of the tree belongs to.
func unitOf(pkg string) string {
	parts := strings.SplitN(pkg, "/", 3)
	return strings.Join(parts[:min(2, len(parts))], "/")
}

// outside tells code that sets the stage for tests and demonstrations: it may
// import what it likes, and nothing of the product may import it.
func outside(pkg string) bool { return pkg == "testbed" || strings.HasPrefix(pkg, "testbed/") }

// importFault says why a file of package from may not import path; it is empty
// where all is well.
func importFault(from, path string) string {
	if outside(from) {
		return ""
	}
	if to, ours := strings.CutPrefix(path, module); ours {
		return ownFault(from, to)
	}
	if path == "C" {
		return "cgo is not allowed: both programs are static binaries"
	}
	if path == "testing" || strings.HasPrefix(path, "testing/") || strings.HasPrefix(path, "github.com/stretchr/testify") {
		if strings.HasSuffix(from, "test") {
			return ""
		}
		return path + " is for tests"
	}
	if first, _, _ := strings.Cut(path, "/"); !strings.Contains(first, ".") {
		return "" // the standard library
	}
	return libraryFault(from, path)
}

// ownFault judges an import of one of our own packages.
func ownFault(from, to string) string {
	here, there := unitOf(from), unitOf(to)
	switch {
	case outside(to):
		return "the testbed is for tests"
	case strings.HasSuffix(to, "/hproftest") && !strings.HasSuffix(from, "test"):
		return "hproftest builds dumps for tests"
	case from == "internal/heap/edges" && to != "internal/offheap":
		return "edges knows only numbers: of ours it imports at most the memory they lie in"
	case from == "internal/heap/dom" && to != "internal/offheap" && to != "internal/cores" && to != "internal/heap/edges":
		return "dom knows only numbers: of ours it imports at most edges, the memory they lie in and the number of cores"
	case here == there:
		return ""
	}
	a, knownA := places()[here]
	b, knownB := places()[there]
	switch {
	case !knownA:
		return here + " has no place: give it one in docs/architecture.md and in archtest"
	case !knownB:
		return there + " has no place: give it one in docs/architecture.md and in archtest"
	case slices.Contains(crossings(), [2]string{here, there}):
		return ""
	case a.half != b.half && b.half != shared && a.half != shared:
		return fmt.Sprintf("the %s half and the %s half meet only at %v", a.half, b.half, crossings())
	case a.half == shared && b.half != shared:
		return "shared packages know neither half"
	case b.row >= a.row:
		return fmt.Sprintf("imports point to a lower row: %s is in row %d, %s in row %d", here, a.row, there, b.row)
	}
	return ""
}

// libraryFault judges an import of a third-party package.
func libraryFault(from, path string) string {
	for prefix, units := range owners() {
		if strings.HasPrefix(path, prefix) {
			if units == nil || slices.Contains(units, unitOf(from)) {
				return ""
			}
			return fmt.Sprintf("%s belongs to %s alone", prefix, strings.Join(units, ", "))
		}
	}
	return "nobody owns this library: name its owner in archtest"
}
