package hprof_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

var update = flag.Bool("update", false, "rewrite the seeds of the fuzz targets")

// TestSeeds makes the seeds under testdata/fuzz, with -update. Files there with other
// names are inputs that broke something once.
func TestSeeds(t *testing.T) {
	plain, objects := map[string][]any{}, map[string][]any{}
	for name, data := range hproftest.Seeds() {
		plain[name] = []any{data}
	}
	for _, idSize := range []int{4, 8} {
		data := sample(idSize).Encode(hproftest.Shape{})
		at := bytes.Index(data, []byte{byte(hprof.TagHeapDump), 0, 0, 0, 0})
		objects[map[int]string{4: "narrow", 8: "wide"}[idSize]] = []any{data[at+9:], idSize == 8}
	}
	tiny := hproftest.Tiny(8)
	spooled := map[string][]any{}
	for name, shape := range map[string]hproftest.Shape{
		"gzip": {Gzip: true}, "chunks": {ChunkBytes: 700}, "one-chunk": {ChunkBytes: 1 << 20}, "zstd": {Zstd: true}, "plain": {},
	} {
		data := tiny.Encode(shape)
		spooled[name] = []any{data}
		spooled[name+"-cut"] = []any{data[:len(data)*3/4]}
	}
	hproftest.WriteSeeds(t, "FuzzOutline", plain, *update)
	hproftest.WriteSeeds(t, "FuzzObjects", objects, *update)
	hproftest.WriteSeeds(t, "FuzzSpool", spooled, *update)
	hproftest.WriteSeeds(t, "FuzzHeader", map[string][]any{
		"1.0.1": {[]byte("JAVA PROFILE 1.0.1\x00\x00\x00\x00\x04\x00\x00\x01\x8b\x00\x00\x00\x00"), 0},
		"1.0.2": {[]byte("JAVA PROFILE 1.0.2\x00\x00\x00\x00\x08\x00\x00\x01\x8b\x00\x00\x00\x00"), 3},
		"1.0":   {[]byte("JAVA PROFILE 1.0\x00\x00\x00\x00\x04\xff\xff\xff\xff\xff\xff\xff\xff"), 60},
	}, *update)
}

// FuzzHeader feeds the begin of a file, with zeros behind it: it is foreign, too short,
// or a header whose values make sense.
func FuzzHeader(f *testing.F) {
	f.Fuzz(func(t *testing.T, head []byte, zeros int) {
		data := append(head, make([]byte, min(max(zeros, 0), 100))...)
		file, err := open(t, data)
		if err != nil {
			require.True(t, errors.Is(err, hprof.ErrNotHprof) || errors.Is(err, hprof.ErrTruncated), err)
			return
		}
		assert.Contains(t, []int{4, 8}, file.Header.IDSize)
		assert.LessOrEqual(t, file.Header.Length, file.Size)
		assert.Regexp(t, `^1\.0`, file.Header.Version)
	})
}

// visitor holds a walk to what Visitor promises.
type visitor struct {
	t    *testing.T
	size int64
}

func (v visitor) Record(_ context.Context, r hprof.Record) error {
	require.Less(v.t, r.Offset, v.size)
	require.LessOrEqual(v.t, r.Start()+r.Length, v.size)
	return nil
}

func (v visitor) Damaged(e *hprof.Error, next int64) error {
	require.LessOrEqual(v.t, e.Offset, v.size)
	require.LessOrEqual(v.t, next, v.size)
	return nil
}

// FuzzOutline feeds whole files: whatever they hold, reading ends, and never leaves the
// file.
func FuzzOutline(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := open(t, data)
		if err != nil {
			return
		}
		walk(t, file)
		require.NoError(t, file.Walk(t.Context(), visitor{t, file.Size}))
		outline, err := file.Outline(t.Context(), nil)
		require.NoError(t, err)
		for _, e := range outline.Extents {
			require.Less(t, e.Start, e.End)
			require.LessOrEqual(t, e.End, file.Size)
			require.Less(t, e.Dump, outline.Dumps)
		}
	})
}

// FuzzObjects feeds the inside of a heap record.
func FuzzObjects(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte, wide bool) {
		idSize := 4
		if wide {
			idSize = 8
		}
		o := hprof.NewObjects(bytes.NewReader(data), idSize)
		o.Reset(0, int64(len(data)))
		last, size := int64(-1), int64(len(data))
		for o.Next() {
			require.Greater(t, o.Offset, last, "the walk must move on")
			require.LessOrEqual(t, o.Position(), size)
			last = o.Offset
			head := o.Head()
			for !head.Short() {
				head.ID()
			}
			switch o.Tag {
			case hprof.SubObjectArray:
				for len(o.Chunk()) > 0 {
				}
			case hprof.SubInstance:
				o.Body(100)
			}
		}
		if e := o.Err(); e != nil {
			require.LessOrEqual(t, e.Offset, size)
		}
	})
}

// FuzzSpool feeds what must be unpacked first.
func FuzzSpool(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := open(t, data)
		if err != nil {
			return
		}
		walk(t, file)
		assert.Contains(t, []string{"none", "gzip", "gzip-chunked", "zstd"}, file.Compression)
		last := make([]byte, 1)
		_, err = file.ReadAt(last, file.Size-1)
		assert.NoError(t, err)
	})
}
