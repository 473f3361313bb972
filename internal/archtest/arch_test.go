package archtest

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Bounds of a file, in lines.
const (
	maxFileLines = 600
	maxMainLines = 40
)

// source is one parsed Go file of the tree.
type source struct {
	// path is relative to the module's root, with slashes.
	path  string
	pkg   string
	lines int
	file  *ast.File
	set   *token.FileSet
}

// isTest tells the files that only tests see.
func (s source) isTest() bool { return strings.HasSuffix(s.path, "_test.go") }

// at is the file and line of a node.
func (s source) at(n ast.Node) string {
	return s.path + ":" + strconv.Itoa(s.set.Position(n.Pos()).Line)
}

// sources parses every Go file below the module's root.
func sources(t *testing.T) []source {
	t.Helper()
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	require.FileExists(t, filepath.Join(root, "go.mod"))
	var all []source
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && path != root && skipped(entry.Name()) {
			return filepath.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(path, ".go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, text, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		relative = filepath.ToSlash(relative)
		all = append(all, source{
			path: relative, pkg: filepath.ToSlash(filepath.Dir(relative)),
			lines: bytes.Count(text, []byte("\n")), file: file, set: set,
		})
		return nil
	})
	require.NoError(t, err)
	require.Greater(t, len(all), 10, "the walk has missed the tree")
	return all
}

// skipped names folders without code of ours.
func skipped(name string) bool {
	return strings.HasPrefix(name, ".") || slices.Contains([]string{"testdata", "build", "bin", "target", "node_modules"}, name)
}

func TestImports(t *testing.T) {
	for _, s := range sources(t) {
		if s.isTest() {
			continue // tests may use what they need to set a scene
		}
		for _, spec := range s.file.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			require.NoError(t, err)
			if fault := importFault(s.pkg, path); fault != "" {
				t.Errorf("%s: imports %s: %s", s.at(spec), strings.TrimPrefix(path, module), fault)
			}
		}
	}
}

func TestNoInitNoSleep(t *testing.T) {
	for _, s := range sources(t) {
		if s.isTest() {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Name.Name == "init" && n.Recv == nil {
					t.Errorf("%s: init() runs before main can decide anything: let a constructor do it", s.at(n))
				}
			case *ast.SelectorExpr:
				if pkg, ok := n.X.(*ast.Ident); ok && pkg.Name == "time" && n.Sel.Name == "Sleep" {
					t.Errorf("%s: time.Sleep can't be cancelled: select on a timer and ctx.Done()", s.at(n))
				}
			}
			return true
		})
	}
}

func TestFilesAreShort(t *testing.T) {
	for _, s := range sources(t) {
		if s.lines > maxFileLines {
			t.Errorf("%s: %d lines, %d are allowed: one idea a file, split it", s.path, s.lines, maxFileLines)
		}
		if filepath.Base(s.path) == "main.go" && strings.HasPrefix(s.pkg, "cmd/") && s.lines > maxMainLines {
			t.Errorf("%s: %d lines, %d are allowed: main only starts the program", s.path, s.lines, maxMainLines)
		}
	}
}

func TestEveryPackageHasAPlace(t *testing.T) {
	for _, s := range sources(t) {
		unit := unitOf(s.pkg)
		if _, known := places()[unit]; !known && unit != "internal/archtest" && !outside(s.pkg) {
			t.Errorf("%s: give %s a place in docs/architecture.md and in archtest", s.path, unit)
		}
	}
}

// The rules themselves, on imports that nobody has written yet.
func TestImportFault(t *testing.T) {
	ours := func(pkg string) string { return module + pkg }
	allowed := [][2]string{
		{"internal/scan", ours("internal/heap/dom")},
		{"internal/heap", ours("internal/heap/dom")},
		{"internal/agent", ours("internal/scan")},
		{"internal/agent", ours("internal/report")},
		{"internal/agent", ours("internal/push/remotewrite")},
		{"cmd/heapscan", ours("internal/hprof")},
		{"cmd/apm-sidecar", ours("internal/term")},
		{"internal/finding", ours("internal/unit")},
		{"internal/hprof/hproftest", "testing"},
		{"internal/push/remotewrite", "github.com/VictoriaMetrics/VictoriaMetrics/lib/prompb"},
		{"internal/agent", "golang.org/x/sync/errgroup"},
		{"internal/tx", "encoding/json"},
		{"testbed/harness", ours("internal/scan")},
	}
	for _, c := range allowed {
		assert.Empty(t, importFault(c[0], c[1]), "%s -> %s", c[0], c[1])
	}
	forbidden := [][2]string{
		{"internal/hprof", ours("internal/heap")},
		{"internal/heap", ours("internal/finding")},
		{"internal/heap/dom", ours("internal/unit")},
		{"internal/web", ours("internal/store")},
		{"internal/agent", ours("internal/finding")},
		{"internal/web", ours("internal/report")},
		{"internal/scan", ours("internal/agent")},
		{"cmd/apm-sidecar", ours("internal/scan")},
		{"internal/report", ours("internal/term")},
		{"internal/term", ours("internal/report")},
		{"internal/unit", ours("internal/jvm")},
		{"internal/scan", ours("internal/hprof/hproftest")},
		{"internal/agent", ours("testbed/harness")},
		{"internal/new", ours("internal/unit")},
		{"internal/agent", "github.com/go-resty/resty/v2"},
		{"internal/push", "github.com/VictoriaMetrics/VictoriaMetrics/app/vmstorage"},
		{"internal/report", "github.com/charmbracelet/lipgloss"},
		{"internal/tx", "github.com/unknown/library"},
		{"internal/hprof", "C"},
		{"internal/jmx", "github.com/stretchr/testify/require"},
	}
	for _, c := range forbidden {
		assert.NotEmpty(t, importFault(c[0], c[1]), "%s -> %s", c[0], c[1])
	}
}
