// Package parquet writes the objects of a dump as a Parquet file, for DuckDB, pandas
// and their like.
package parquet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/parquet-go/parquet-go"

	"github.com/apm-sidecar/apm-sidecar/internal/scan"
)

// groupRows is how many objects a row group has, which is written as a whole: some 20
// MiB of memory.
const groupRows = 1 << 18

// row is a line of the file. The columns are those of the tab-separated form.
type row struct {
	Address  string `parquet:"address"`
	Class    string `parquet:"class,dict"`
	Shallow  int64  `parquet:"shallow"`
	Retained int64  `parquet:"retained"`
	Idom     string `parquet:"idom"`
}

// Write writes the reachable objects of e, by address: the same columns and texts as
// scan.Export.WriteTSV, compressed by zstd. Errors: those of ctx and w.
func Write(ctx context.Context, w io.Writer, e *scan.Export) error {
	out := parquet.NewGenericWriter[row](w, parquet.Compression(&parquet.Zstd), parquet.MaxRowsPerRowGroup(groupRows),
		parquet.CreatedBy("heapscan", e.Report.Tool.Version, ""))
	var rows []row
	var text []byte
	err := e.Rows(ctx, func(objects []scan.Row) error {
		rows, text = rows[:0], text[:0]
		for _, o := range objects {
			text = strconv.AppendUint(append(text, "0x"...), o.Address, 16)
			if o.Dominated {
				text = strconv.AppendUint(append(text, "0x"...), o.Dominator, 16)
			} else {
				text = append(text, '-')
			}
		}
		// One string for all of them: each cell is a part of it.
		all, at := string(text), 0
		next := func(n int) string {
			at += n
			return all[at-n : at]
		}
		for _, o := range objects {
			r := row{Address: next(hexLength(o.Address)), Class: o.Class, Shallow: o.Shallow, Retained: o.Retained}
			if o.Dominated {
				r.Idom = next(hexLength(o.Dominator))
			} else {
				r.Idom = next(1)
			}
			rows = append(rows, r)
		}
		_, err := out.Write(rows)
		return err
	})
	if err == nil {
		err = out.Close()
	}
	if err != nil {
		return fmt.Errorf("parquet: %w", errors.Join(err, ctx.Err()))
	}
	return nil
}

// hexLength is the length of an address in hexadecimal with its prefix.
func hexLength(address uint64) int {
	n := len("0x") + 1
	for address >>= 4; address != 0; address >>= 4 {
		n++
	}
	return n
}
