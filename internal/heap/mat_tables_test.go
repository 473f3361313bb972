package heap_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/heap/dom"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
)

// matFolder returns the folder with dumps and what Eclipse MAT measured on them:
// NAME.hprof.gz and NAME.mat.tsv.gz, or NAME.1.mat.tsv.gz and so on where a file
// holds several dumps.
func matFolder(t *testing.T) string {
	t.Helper()
	folder := os.Getenv("HEAPSCAN_MAT_DUMPS")
	if folder == "" {
		t.Skip("HEAPSCAN_MAT_DUMPS names no folder with dumps and Eclipse MAT's tables")
	}
	return folder
}

// matRow is one object of a table; a dominator of 0 is none, as the object at 0x0
// dominates nothing.
type matRow struct {
	class             string
	shallow, retained uint64
	dominator         uint64
}

// readTable reads a table: a line of titles, then address, class, shallow and retained
// size, dominator.
func readTable(t *testing.T, path string) map[uint64]matRow {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer func() { assert.NoError(t, file.Close()) }()
	unzipped, err := gzip.NewReader(file)
	require.NoError(t, err)
	number := func(s string) uint64 {
		if s == "-" {
			return 0
		}
		v, err := strconv.ParseUint(s, 0, 64)
		require.NoError(t, err)
		return v
	}
	rows := map[uint64]matRow{}
	lines := bufio.NewScanner(unzipped)
	for lines.Scan() {
		f := strings.Split(lines.Text(), "\t")
		require.Len(t, f, 5)
		if f[0] == "address" {
			continue
		}
		rows[number(f[0])] = matRow{f[1], number(f[2]), number(f[3]), number(f[4])}
	}
	require.NoError(t, lines.Err())
	return rows
}

// TestMATTables compares class, sizes and dominator of every object.
func TestMATTables(t *testing.T) {
	tables, err := filepath.Glob(filepath.Join(matFolder(t), "*.mat.tsv.gz"))
	require.NoError(t, err)
	require.NotEmpty(t, tables, "HEAPSCAN_MAT_DUMPS has no table")
	for _, path := range tables {
		name := strings.TrimSuffix(path, ".mat.tsv.gz")
		number := 0
		if n := strings.TrimPrefix(filepath.Ext(name), "."); n != "" {
			if i, err := strconv.Atoi(n); err == nil {
				number, name = i-1, strings.TrimSuffix(name, "."+n)
			}
		}
		t.Run(fmt.Sprintf("%s-%d", filepath.Base(name), number+1), func(t *testing.T) {
			g, tree := buildFile(t, name+".hprof.gz", number)
			compareObjects(t, g, tree, readTable(t, path))
			compareClasses(t, g, tree, strings.TrimSuffix(path, "tsv.gz")+"json")
		})
	}
}

// buildFile builds the graph that Eclipse MAT would.
func buildFile(t *testing.T, path string, number int) (*heap.Graph, *dom.Tree) {
	t.Helper()
	f, err := hprof.Open(context.Background(), path, nil)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, f.Close()) })
	g, err := heap.Build(context.Background(), f, heap.Options{Dump: number, Edges: heap.EdgesMAT})
	require.NoError(t, err)
	t.Cleanup(g.Close)
	tree, err := g.Dominators(context.Background())
	require.NoError(t, err)
	t.Cleanup(tree.Free)
	return g, tree
}

// compareObjects compares all objects with a table.
func compareObjects(t *testing.T, g *heap.Graph, tree *dom.Tree, want map[uint64]matRow) {
	t.Helper()
	all, err := tree.All(context.Background())
	require.NoError(t, err)
	defer all.Free()
	extra, class, shallow, retained, dominator := 0, 0, 0, 0, 0
	shown := 0 // differences
	same := func(n *int, address uint64, what string, want, got any) {
		if want == got {
			*n++
			return
		}
		if shown++; shown <= 20 {
			t.Errorf("%#x: %s %v, want %v", address, what, got, want)
		}
	}
	for o := heap.ObjID(1); int(o) <= g.Objects(); o++ {
		if !tree.Reachable(uint32(o)) {
			continue
		}
		a := g.Address(o)
		w, ok := want[a]
		if !ok {
			if extra++; extra < 10 {
				t.Errorf("%#x: %s is no object of the table", a, g.Class(o).Name)
			}
			continue
		}
		same(&class, a, "class", w.class, g.Class(o).Name)
		same(&shallow, a, "shallow size", w.shallow, uint64(g.ShallowBytes(o)))
		same(&retained, a, "retained size", w.retained, all.Retained.Items[o])
		same(&dominator, a, "dominator", w.dominator, g.Address(heap.ObjID(all.Dominator.Items[o])))
	}
	t.Logf("of %d objects match %d classes, %d shallow sizes, %d retained sizes, %d dominators; %d objects too many",
		len(want), class, shallow, retained, dominator, extra)
	assert.Equal(t, [5]int{len(want), len(want), len(want), len(want), 0}, [5]int{class, shallow, retained, dominator, extra})
}

// compareClasses compares what the instances of each class retain with MAT's lower
// bound.
func compareClasses(t *testing.T, g *heap.Graph, tree *dom.Tree, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	var summary struct {
		Classes []struct {
			Name     string `json:"name"`
			Address  string `json:"address"`
			Retained uint64 `json:"retained_min_instances"`
		} `json:"class_table"`
	}
	require.NoError(t, json.Unmarshal(text, &summary))
	require.NotEmpty(t, summary.Classes)
	sums, err := g.Survey(context.Background(), tree, heap.Survey{})
	require.NoError(t, err)
	match := 0
	for _, c := range summary.Classes {
		address, err := strconv.ParseUint(c.Address, 0, 64)
		require.NoError(t, err)
		id := g.ClassAt(address)
		require.NotEqual(t, heap.NoClass, id, c.Name)
		if assert.Equal(t, c.Retained, sums.Retained[0][id], c.Name) {
			match++
		}
	}
	t.Logf("of %d classes match the retained sizes of %d", len(summary.Classes), match)
}
