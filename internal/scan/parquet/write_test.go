package parquet_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	parquetgo "github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
	"github.com/apm-sidecar/apm-sidecar/internal/scan"
	"github.com/apm-sidecar/apm-sidecar/internal/scan/parquet"
)

// open analyses a heap of so many objects and some more.
func open(t *testing.T, objects int, o scan.Options) *scan.Export {
	t.Helper()
	d := hproftest.Tiny(8)
	object := d.Class("com.acme.Filler", nil)
	for range objects {
		d.Root(1, d.New(object))
	}
	e, err := scan.NewExport(t.Context(), d.WriteFile(t, hproftest.Shape{}), o)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, e.Close()) })
	return e
}

// TestRoundTrip reads the file back: it has the lines of the tab-separated form.
func TestRoundTrip(t *testing.T) {
	type row struct {
		Address  string `parquet:"address"`
		Class    string `parquet:"class"`
		Shallow  int64  `parquet:"shallow"`
		Retained int64  `parquet:"retained"`
		Idom     string `parquet:"idom"`
	}
	for _, edges := range []heap.Edges{heap.EdgesStrong, heap.EdgesMAT} {
		e := open(t, 270_000, scan.Options{Edges: edges}) // more than a row group has
		var want, file bytes.Buffer
		require.NoError(t, e.WriteTSV(t.Context(), &want))
		require.NoError(t, parquet.Write(t.Context(), &file, e))

		f, err := parquetgo.OpenFile(bytes.NewReader(file.Bytes()), int64(file.Len()))
		require.NoError(t, err)
		var names []string
		for _, c := range f.Schema().Fields() {
			names = append(names, c.Name())
		}
		assert.Equal(t, []string{"address", "class", "shallow", "retained", "idom"}, names)
		require.Len(t, f.RowGroups(), 2)
		for _, column := range f.Metadata().RowGroups[0].Columns {
			assert.Equal(t, "ZSTD", column.MetaData.Codec.String())
		}

		reader := parquetgo.NewGenericReader[row](f)
		rows := make([]row, reader.NumRows())
		n, err := reader.Read(rows)
		if !errors.Is(err, io.EOF) {
			require.NoError(t, err)
		}
		require.Len(t, rows, n)
		require.NoError(t, reader.Close())
		var got strings.Builder
		got.WriteString("address\tclass\tshallow\tretained\tidom\n")
		for _, r := range rows {
			fmt.Fprintf(&got, "%s\t%s\t%d\t%d\t%s\n", r.Address, r.Class, r.Shallow, r.Retained, r.Idom)
		}
		require.Equal(t, want.Len(), got.Len())
		// Twenty megabytes that differ are nothing to print.
		require.Equal(t, sha256.Sum256(want.Bytes()), sha256.Sum256([]byte(got.String())))
	}
}

type failing struct{ error }

func (f failing) Write([]byte) (int, error) { return 0, f.error }

func TestFaults(t *testing.T) {
	e := open(t, 10, scan.Options{})
	full := errors.New("no space left")
	require.ErrorIs(t, parquet.Write(t.Context(), failing{full}, e), full)
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorIs(t, parquet.Write(stopped, io.Discard, e), context.Canceled)
}
