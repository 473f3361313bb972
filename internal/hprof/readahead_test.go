package hprof_test

import (
	"bytes"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// countingReader counts how often and how much is read.
type countingReader struct {
	io.ReaderAt
	reads, bytes int
}

func (r *countingReader) ReadAt(p []byte, at int64) (int, error) {
	r.reads++
	n, err := r.ReaderAt.ReadAt(p, at)
	r.bytes += n
	return n, err
}

// TestReadsAhead walks over headers alone: of small objects in big blocks, wherever a
// block cuts one in two, and of big ones without their bodies.
func TestReadsAhead(t *testing.T) {
	for name, c := range map[string]struct {
		objects, bodyBytes  int
		maxReads, bytesRead int
	}{
		"small": {objects: 100_000, bodyBytes: 63, maxReads: 20, bytesRead: 9_000_000},
		"big":   {objects: 100, bodyBytes: 100_000, maxReads: 110, bytesRead: 500_000},
	} {
		t.Run(name, func(t *testing.T) {
			d := hproftest.New(8)
			for range c.objects {
				d.Bytes(make([]byte, c.bodyBytes))
			}
			data := d.Encode(hproftest.Shape{})
			f, err := open(t, data)
			require.NoError(t, err)
			outline, err := f.Outline(t.Context(), nil)
			require.NoError(t, err)
			require.Len(t, outline.Extents, 1)
			r := &countingReader{ReaderAt: bytes.NewReader(data)}
			o := hprof.NewObjects(r, 8)
			arrays := 0
			for o.Reset(outline.Extents[0].Start, outline.Extents[0].End); o.Next(); {
				if o.Tag == hprof.SubPrimArray {
					arrays++
				}
			}
			require.NoError(t, errOf(o))
			assert.Equal(t, c.objects, arrays)
			assert.LessOrEqual(t, r.reads, c.maxReads)
			assert.LessOrEqual(t, r.bytes, c.bytesRead)
		})
	}
}

// errOf returns the error that ended a walk, nil if none did.
func errOf(o *hprof.Objects) error {
	if err := o.Err(); err != nil {
		return err
	}
	return nil
}
