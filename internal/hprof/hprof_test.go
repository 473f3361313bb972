package hprof_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// sample is a small heap with one of each kind of sub-record.
func sample(idSize int) *hproftest.Dump {
	d := hproftest.New(idSize)
	object := d.Class("java.lang.Object", nil)
	node := d.Class("com.acme.Node", object, hproftest.Ref("next"), hproftest.Int("value"), hproftest.Bool("flag")).
		Static("count", int32(7)).Static("big", int64(-1)).Static("on", true)
	a, b := d.New(node).Set("value", int32(42)), d.New(node).Set("flag", true)
	a.Set("next", b)
	node.Static("first", a)
	array := d.Array(d.Class("[Lcom.acme.Node;", object), a, nil, b)
	d.Bytes([]byte("hello"))
	d.Root(hprof.SubRootJNIGlobal, array)
	d.StickyClasses()
	d.Thread(a, hproftest.Frame{Class: node, Method: "run", Line: 12, Locals: []*hproftest.Object{b}})
	return d
}

func open(t testing.TB, data []byte) (*hprof.File, error) {
	t.Helper()
	f, err := hprof.Open(context.Background(), hproftest.WriteBytes(t, data), nil)
	if err == nil {
		t.Cleanup(func() { assert.NoError(t, f.Close()) })
	}
	return f, err
}

// walk renders all that can be read of a file, and says whether it is undamaged.
func walk(t testing.TB, f *hprof.File) (text string, whole bool) {
	t.Helper()
	o, err := f.Outline(context.Background(), nil)
	require.NoError(t, err)
	whole = len(o.Damage) == 0
	var out bytes.Buffer
	for c := range o.Classes.All() {
		fmt.Fprintln(&out, "class", c.Serial, c.ID, o.Name(c.NameID))
	}
	fmt.Fprintln(&out, o.Stacks.FrameCount(), o.Stacks.Len())
	objects := hprof.NewObjects(f, f.Header.IDSize)
	for _, e := range o.Extents {
		objects.Reset(e.Start, e.End)
		for objects.Next() {
			fmt.Fprintf(&out, "%#x %#x %#x %d\n", objects.Tag, objects.ID, objects.ClassID, objects.Count)
			switch objects.Tag {
			case hprof.SubClassDump:
				fmt.Fprintln(&out, objects.Class.Super, objects.Class.Statics, objects.Class.Fields)
			case hprof.SubInstance, hprof.SubObjectArray, hprof.SubPrimArray:
				fmt.Fprintf(&out, "%x\n", objects.Body(1<<20))
			}
		}
		whole = whole && objects.Err() == nil
	}
	return out.String(), whole
}

func TestReadsAllShapes(t *testing.T) {
	for _, idSize := range []int{4, 8} {
		d := sample(idSize)
		plain, err := open(t, d.Encode(hproftest.Shape{}))
		require.NoError(t, err)
		assert.Equal(t, "1.0.2", plain.Header.Version)
		assert.Equal(t, idSize, plain.Header.IDSize)
		assert.Equal(t, d.CreatedMs, plain.Header.Created.UnixMilli())
		want, whole := walk(t, plain)
		assert.True(t, whole)
		assert.Contains(t, want, "com/acme/Node")
		for name, shape := range map[string]hproftest.Shape{
			"segments": {SegmentBytes: 64}, "gzip": {Gzip: true}, "both": {SegmentBytes: 100, Gzip: true},
			"zstd": {Zstd: true}, "chunks": {ChunkBytes: 100}, "one chunk": {ChunkBytes: 1 << 20},
		} {
			f, err := open(t, d.Encode(shape))
			require.NoError(t, err, name)
			got, whole := walk(t, f)
			assert.True(t, whole, name)
			assert.Equal(t, want, got, name)
		}
	}
}

// TestCutAnywhere cuts a dump at every byte: an error or a shorter result, never
// a panic, and never a silent gap.
func TestCutAnywhere(t *testing.T) {
	for _, shape := range []hproftest.Shape{{}, {SegmentBytes: 80}} {
		data := sample(8).Encode(shape)
		for n := range data {
			f, err := open(t, data[:n])
			if err != nil {
				if n > 0 {
					assert.ErrorIs(t, err, hprof.ErrTruncated, "cut at %d", n)
				}
				continue
			}
			_, whole := walk(t, f)
			// A dump of one HEAP_DUMP record has no end mark: cut before that record it
			// is whole, with no heap in it.
			if shape.SegmentBytes > 0 && bytes.Contains(data[:n], []byte{byte(hprof.TagHeapSegment), 0, 0, 0, 0}) {
				assert.False(t, whole, "cut at %d", n)
			}
		}
	}
}

func TestForeignInput(t *testing.T) {
	for name, data := range map[string][]byte{
		"empty":        {},
		"text":         []byte("hello, world, this is no heap dump at all"),
		"other format": []byte("JAVA PROFILE 2.0\x00\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00"),
		"id size 5":    []byte("JAVA PROFILE 1.0.2\x00\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x00"),
		"gzip text":    packedText("gzip"),
		"zstd text":    packedText("zstd"),
	} {
		_, err := open(t, data)
		assert.ErrorIs(t, err, hprof.ErrNotHprof, name)
	}
	_, err := hprof.Open(context.Background(), t.TempDir(), nil)
	var path *os.PathError
	assert.ErrorAs(t, err, &path)
}

// packedText is a text that is no dump, compressed.
func packedText(compression string) []byte {
	var b bytes.Buffer
	var to io.WriteCloser = gzip.NewWriter(&b)
	if compression == "zstd" {
		to, _ = zstd.NewWriter(&b)
	}
	_, _ = to.Write([]byte("hello, world, this is no heap dump at all"))
	_ = to.Close()
	return b.Bytes()
}

// TestCutBeforeTheHeader cuts files so early that nothing but their compression, or the begin
// of their header, tells what they were.
func TestCutBeforeTheHeader(t *testing.T) {
	f := func(shape hproftest.Shape, n int, want string) {
		t.Helper()
		_, err := open(t, sample(8).Encode(shape)[:n])
		require.ErrorIs(t, err, hprof.ErrTruncated)
		require.NotErrorIs(t, err, hprof.ErrNotHprof)
		require.ErrorContains(t, err, want)
	}
	f(hproftest.Shape{}, 1, "header at offset 1")
	f(hproftest.Shape{}, 12, "header at offset 12")
	f(hproftest.Shape{}, 18, "header at offset 18")
	for _, n := range []int{2, 10, 12, 25} {
		f(hproftest.Shape{Gzip: true}, n, "the gzip file is cut off")
	}
	f(hproftest.Shape{ChunkBytes: 5000}, 45, "the gzip file is cut off")
	for _, n := range []int{4, 10, 100} {
		f(hproftest.Shape{Zstd: true}, n, "the zstd file is cut off")
	}
}

// TestZstdAfterASkippableFrame is how pzstd begins its files.
func TestZstdAfterASkippableFrame(t *testing.T) {
	data := append([]byte{0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4}, sample(8).Encode(hproftest.Shape{Zstd: true})...)
	f, err := open(t, data)
	require.NoError(t, err)
	_, whole := walk(t, f)
	assert.True(t, whole)
}

// TestTimesThatNobodyCanWrite are those of damaged headers: reports have RFC 3339.
func TestTimesThatNobodyCanWrite(t *testing.T) {
	f := func(ms int64, want string) {
		t.Helper()
		d := sample(8)
		d.CreatedMs = ms
		dump, err := open(t, d.Encode(hproftest.Shape{}))
		require.NoError(t, err)
		assert.Equal(t, want, dump.Header.Created.Format(time.RFC3339))
		_, err = dump.Header.Created.MarshalJSON()
		require.NoError(t, err)
	}
	f(1_700_000_000_000, "2023-11-14T22:13:20Z")
	f(math.MaxInt64, "9999-12-31T23:59:59Z")
	f(math.MinInt64, "0001-01-01T00:00:00Z")
}

// TestUnwrittenLength is what a JVM leaves that died before it wrote the length of its last segment, and a
// length that is damaged: it is told, and all is read.
func TestUnwrittenLength(t *testing.T) {
	for name, shape := range map[string]hproftest.Shape{"dump": {}, "segments": {SegmentBytes: 1200}} {
		data := hproftest.Tiny(8).Encode(shape)
		outline := func() *hprof.Outline {
			f, err := open(t, data)
			require.NoError(t, err)
			o, err := f.Outline(t.Context(), nil)
			require.NoError(t, err)
			return o
		}
		want := outline().Extents
		require.Equal(t, name == "segments", len(want) > 2, name)
		for i, e := range want {
			length := data[e.Start-4 : e.Start]
			written := binary.BigEndian.Uint32(length)
			binary.BigEndian.PutUint32(length, 0)
			o := outline()
			binary.BigEndian.PutUint32(length, written)
			assert.Equal(t, want, o.Extents, "%s %d", name, i)
			require.Len(t, o.Damage, 1, "%s %d", name, i)
			assert.ErrorContains(t, o.Damage[0], "its length was not written", name)
		}
	}
}

// big is a heap that takes many blocks of any compression.
func big() *hproftest.Dump {
	d := hproftest.New(8)
	object := d.Class("java.lang.Object", nil)
	for range 20000 {
		d.New(object)
	}
	return d
}

// TestCutCompressedKeepsWhatCameBefore cuts compressed dumps in the middle.
func TestCutCompressedKeepsWhatCameBefore(t *testing.T) {
	for name, shape := range map[string]hproftest.Shape{
		"gzip":   {Gzip: true, SegmentBytes: 1000},
		"chunks": {ChunkBytes: 5000, SegmentBytes: 1000},
		"zstd":   {Zstd: true, SegmentBytes: 1000},
	} {
		data := big().Encode(shape)
		f, err := open(t, data[:len(data)*2/3])
		require.NoError(t, err, name)
		require.NotNil(t, f.Damage, name)
		assert.ErrorIs(t, f.Damage, hprof.ErrTruncated, name)
		text, whole := walk(t, f)
		assert.False(t, whole, name)
		assert.Greater(t, strings.Count(text, "\n"), 3000, name)
	}
}

// TestDamagedChunk breaks one block: the dump ends there.
func TestDamagedChunk(t *testing.T) {
	data := big().Encode(hproftest.Shape{ChunkBytes: 5000, SegmentBytes: 1000})
	whole, err := open(t, data)
	require.NoError(t, err)
	assert.Equal(t, "gzip-chunked", whole.Compression)
	data[len(data)/2] ^= 0xff
	f, err := open(t, data)
	require.NoError(t, err)
	require.NotNil(t, f.Damage)
	require.ErrorIs(t, f.Damage, hprof.ErrTruncated)
	assert.Regexp(t, "gzip data at offset [0-9]+: "+hprof.ErrTruncated.Error()+": .+", f.Damage.Error(), "and what is wrong with it")
	assert.Less(t, f.Size, whole.Size*2/3)
	assert.Greater(t, f.Size, whole.Size/3)
}

// TestNoRoom has no folder for the temporary file.
func TestNoRoom(t *testing.T) {
	path := hproftest.WriteBytes(t, sample(8).Encode(hproftest.Shape{Gzip: true}))
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "missing"))
	_, err := hprof.Open(t.Context(), path, nil)
	assert.ErrorContains(t, err, "set TMPDIR")
}

// TestDamagedRecord breaks the length of a name: the names around it are lost, the
// heap is not.
func TestDamagedRecord(t *testing.T) {
	data := sample(8).Encode(hproftest.Shape{})
	f, err := open(t, data)
	require.NoError(t, err)
	want, err := f.Outline(t.Context(), nil)
	require.NoError(t, err)
	for _, length := range []uint32{0xffffffff, 0, 5, 1000} {
		broken := bytes.Clone(data)
		binary.BigEndian.PutUint32(broken[f.Header.Length+5:], length)
		g, err := open(t, broken)
		require.NoError(t, err)
		got, err := g.Outline(t.Context(), nil)
		require.NoError(t, err)
		require.NotEmpty(t, got.Damage, "length %d", length)
		assert.Equal(t, want.Extents, got.Extents, "length %d", length)
	}
}

func BenchmarkObjects(b *testing.B) {
	d := hproftest.New(8)
	node := d.Class("com.acme.Node", nil, hproftest.Ref("next"), hproftest.Long("value"))
	for range 100_000 {
		d.New(node)
	}
	data := d.Encode(hproftest.Shape{SegmentBytes: 1 << 20})
	f, err := open(b, data)
	require.NoError(b, err)
	outline, err := f.Outline(b.Context(), nil)
	require.NoError(b, err)
	b.SetBytes(int64(len(data)))
	o := hprof.NewObjects(f, 8)
	for b.Loop() {
		for _, e := range outline.Extents {
			for o.Reset(e.Start, e.End); o.Next(); {
			}
		}
	}
}

// TestWrappedLength is a heap record of more than 4 GiB as JDK 8 writes it, a dump as a whole or a
// segment: with the low 32 bits of its length. The file is sparse.
func TestWrappedLength(t *testing.T) {
	t.Run("dump", func(t *testing.T) { testWrappedLength(t, hprof.TagHeapDump, nil) })
	t.Run("segment", func(t *testing.T) { testWrappedLength(t, hprof.TagHeapSegment, rec(hprof.TagHeapEnd, nil)) })
}

func testWrappedLength(t *testing.T, tag hprof.Tag, behind []byte) {
	const big, small = 4_000_000_000, 400_000_000
	array := func(id uint64, n uint32) []byte {
		b := binary.BigEndian.AppendUint64([]byte{byte(hprof.SubPrimArray)}, id)
		b = binary.BigEndian.AppendUint32(append(b, 0, 0, 0, 0), n)
		return append(b, byte(hprof.TypeByte))
	}
	first, second := array(0x1000, big), array(0x2000, small)
	length := int64(len(first)+len(second)) + big + small
	head := append([]byte("JAVA PROFILE 1.0.1\x00"), 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0)
	head = binary.BigEndian.AppendUint32(append(head, byte(tag), 0, 0, 0, 0), uint32(length&0xffffffff))

	path := filepath.Join(t.TempDir(), "big.hprof")
	out, err := os.Create(path)
	require.NoError(t, err)
	write := func(b []byte, at int64) {
		_, err := out.WriteAt(b, at)
		require.NoError(t, err)
	}
	write(head, 0)
	start := int64(len(head))
	write(first, start)
	write(second, start+int64(len(first))+big)
	require.NoError(t, out.Truncate(start+length))
	write(behind, start+length)
	require.NoError(t, out.Close())

	f, err := hprof.Open(t.Context(), path, nil)
	require.NoError(t, err)
	defer func() { assert.NoError(t, f.Close()) }()
	o, err := f.Outline(t.Context(), nil)
	require.NoError(t, err)
	assert.Empty(t, o.Damage)
	require.Equal(t, []hprof.Extent{{Start: start, End: start + length}}, o.Extents)
	objects := hprof.NewObjects(f, 8)
	objects.Reset(o.Extents[0].Start, o.Extents[0].End)
	var counts []uint32
	for objects.Next() {
		counts = append(counts, objects.Count)
	}
	assert.Nil(t, objects.Err())
	assert.Equal(t, []uint32{big, small}, counts)
}

// TestNames reads many names as it reads each, also those that lie far apart, are too long, or are not
// there.
func TestNames(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	for i := range 300 {
		j.Class(strings.Repeat("x", i*i)+strconv.Itoa(i), j.Object)
	}
	f, err := hprof.Open(t.Context(), j.Finish().WriteFile(t, hproftest.Shape{}), nil)
	require.NoError(t, err)
	defer func() { assert.NoError(t, f.Close()) }()
	o, err := f.Outline(t.Context(), nil)
	require.NoError(t, err)
	ids := map[uint64]bool{1 << 60: true}
	for c := range o.Classes.All() {
		ids[c.NameID] = true
	}
	names := maps.Collect(o.Names(func(id uint64) bool { return ids[id] }))
	assert.Len(t, names, len(ids)-1)
	assert.Greater(t, len(names), 300)
	for id := range ids {
		require.Equal(t, o.Name(id), names[id])
		require.Equal(t, id == 1<<60, names[id] == "")
	}
}
