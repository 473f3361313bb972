package hprof_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// raw is a dump of ids of 8 bytes, byte by byte.
func raw(records ...[]byte) []byte {
	return append([]byte("JAVA PROFILE 1.0.2\x00\x00\x00\x00\x08\x00\x00\x01\x8b\xcf\xe5\x68\x00"), bytes.Join(records, nil)...)
}

// rec is a record with a body.
func rec(tag hprof.Tag, body []byte) []byte {
	b := binary.BigEndian.AppendUint32([]byte{byte(tag), 0, 0, 0, 0}, uint32(len(body)))
	return append(b, body...)
}

// name is a UTF8 record.
func name(id uint64, text string) []byte {
	return rec(hprof.TagUTF8, append(binary.BigEndian.AppendUint64(nil, id), text...))
}

// met is what a walk meets.
type met struct {
	records []hprof.Tag
	damage  []*hprof.Error
}

func (m *met) Record(_ context.Context, r hprof.Record) error {
	m.records = append(m.records, r.Tag)
	return nil
}

func (m *met) Damaged(e *hprof.Error, _ int64) error {
	m.damage = append(m.damage, e)
	return nil
}

// meet walks over the records of a dump.
func meet(t *testing.T, data []byte) met {
	t.Helper()
	f, err := open(t, data)
	require.NoError(t, err)
	var m met
	require.NoError(t, f.Walk(t.Context(), &m))
	return m
}

// TestRecordsTooShortOrTooLong are damage, and what follows is read.
func TestRecordsTooShortOrTooLong(t *testing.T) {
	rest := bytes.Join([][]byte{name(1, "a"), name(2, "b"), rec(hprof.TagHeapDump, nil)}, nil)
	f := func(tag hprof.Tag, least int) {
		t.Helper()
		assert.Empty(t, meet(t, raw(rec(tag, make([]byte, least)), rest)).damage, tag.Name())
		m := meet(t, raw(rec(tag, make([]byte, least-1)), rest))
		assert.Len(t, m.damage, 1, tag.Name())
		assert.Equal(t, []hprof.Tag{hprof.TagUTF8, hprof.TagUTF8, hprof.TagHeapDump}, m.records, tag.Name())
	}
	f(hprof.TagUTF8, 8)
	f(hprof.TagLoadClass, 24)
	f(hprof.TagFrame, 40)
	f(hprof.TagTrace, 12)

	trace := make([]byte, 12+7)
	trace[11] = 1 // a frame of 8 bytes
	assert.Len(t, meet(t, raw(rec(hprof.TagTrace, trace), rest)).damage, 1)
	assert.Len(t, meet(t, raw(rec(hprof.TagFrame, make([]byte, 4<<20+1)), rest)).damage, 1, "no JVM writes such a frame")
}

// TestSegmentsWithADamagedTag are told, whatever they became, and what follows is of the same dump.
func TestSegmentsWithADamagedTag(t *testing.T) {
	body := bytes.Repeat([]byte{byte(hprof.SubInstance)}, 300_000)
	root := append([]byte{byte(hprof.SubRootUnknown)}, make([]byte, 8)...)
	segment, end := rec(hprof.TagHeapSegment, root), rec(hprof.TagHeapEnd, nil)
	for tag := range 256 {
		switch tag := hprof.Tag(tag); tag {
		case hprof.TagHeapDump, hprof.TagHeapSegment: // the sub-records are at fault
		default:
			f, err := open(t, raw(name(1, "a"), segment, rec(tag, body), segment, end))
			require.NoError(t, err)
			o, err := f.Outline(t.Context(), nil)
			require.NoError(t, err)
			assert.Len(t, o.Damage, 1, tag)
			assert.Len(t, o.Extents, 2, tag)
			assert.Equal(t, 1, o.Dumps, tag)
		}
	}
}

// TestNothingOfAHeapIsTakenForRecords: what is looked for behind damage is not looked for
// within the heap before it, though that holds what looks like records.
func TestNothingOfAHeapIsTakenForRecords(t *testing.T) {
	inside := bytes.Join([][]byte{rec(hprof.TagStartThread, nil), rec(hprof.TagStartThread, nil), rec(hprof.TagStartThread, nil)}, nil)
	m := meet(t, raw(rec(hprof.TagHeapDump, inside), []byte{0xEE}, name(1, "a"), name(2, "b"), name(3, "c")))
	assert.Len(t, m.damage, 1)
	assert.Equal(t, []hprof.Tag{hprof.TagHeapDump, hprof.TagUTF8, hprof.TagUTF8, hprof.TagUTF8}, m.records)
}

// TestUnknownRecords are damage where they lie; they end where they say, whatever their bodies
// look like, and nothing before them is read again.
func TestUnknownRecords(t *testing.T) {
	inside := bytes.Join([][]byte{name(4, "d"), name(5, "e"), name(6, "f")}, nil)
	two := bytes.Join([][]byte{name(1, "a"), name(2, "b")}, nil)
	m := meet(t, raw(two, rec(0x55, inside), two, rec(hprof.TagHeapDump, inside), rec(0xde, inside), two, rec(0x66, nil)))
	assert.Len(t, m.damage, 3)
	assert.Len(t, m.records, 7)
	m = meet(t, raw(bytes.Repeat(bytes.Join([][]byte{rec(0x55, nil), two, two}, nil), 200)))
	assert.Len(t, m.damage, 100, "no more are put up with")
}

// TestSoManyDamagedPlaces are put up with; then the rest is given up, and said to be.
func TestSoManyDamagedPlaces(t *testing.T) {
	var records [][]byte
	for range 150 {
		records = append(records, []byte{0xEE}, name(1, "a"), name(2, "b"), name(3, "c"))
	}
	m := meet(t, raw(records...))
	assert.Len(t, m.damage, 100)
	assert.Len(t, m.records, 99*3)
}

// TestCutBeforeItsHeap: names without a heap are a dump that was cut.
func TestCutBeforeItsHeap(t *testing.T) {
	f, err := open(t, raw(name(1, "a")))
	require.NoError(t, err)
	o, err := f.Outline(t.Context(), nil)
	require.NoError(t, err)
	require.Len(t, o.Damage, 1)
	assert.ErrorIs(t, o.Damage[0], hprof.ErrTruncated)
	assert.Len(t, meet(t, raw(name(1, "a"))).damage, 1, "whoever reads the records alone is told, too")
	assert.Empty(t, meet(t, raw(name(1, "a"), rec(hprof.TagCPUSamples, nil))).damage, "that is no heap dump")
}

// TestAHeapCutBetweenObjects is damaged, though each object in it is whole.
func TestAHeapCutBetweenObjects(t *testing.T) {
	object := append([]byte{byte(hprof.SubRootUnknown)}, make([]byte, 8)...)
	data := raw(rec(hprof.TagHeapDump, bytes.Repeat(object, 10)))
	assert.Empty(t, meet(t, data).damage)
	m := meet(t, data[:len(data)-len(object)])
	require.Len(t, m.damage, 1)
	assert.ErrorIs(t, m.damage[0], hprof.ErrTruncated)
}

// subRecords are the tags in a heap, and what ends it early.
func subRecords(t *testing.T, heap []byte) ([]hprof.SubTag, *hprof.Error) {
	t.Helper()
	o := hprof.NewObjects(bytes.NewReader(heap), 8)
	o.Reset(0, int64(len(heap)))
	var tags []hprof.SubTag
	for o.Next() {
		tags = append(tags, o.Tag)
	}
	return tags, o.Err()
}

// TestRootsOfAllKinds have the lengths that HotSpot's and Android's heapDumper write.
func TestRootsOfAllKinds(t *testing.T) {
	var heap []byte
	var want []hprof.SubTag
	for tag, extra := range map[hprof.SubTag]int{
		hprof.SubRootUnknown: 0, hprof.SubRootJNIGlobal: 8, hprof.SubRootJNILocal: 8, hprof.SubRootJavaFrame: 8, hprof.SubRootNativeStack: 4,
		hprof.SubRootStickyClass: 0, hprof.SubRootThreadBlock: 4, hprof.SubRootMonitor: 0, hprof.SubRootThread: 8,
		hprof.SubRootInterned: 0, hprof.SubRootFinalizing: 0, hprof.SubRootDebugger: 0, hprof.SubRootRefCleanup: 0, hprof.SubRootVMInternal: 0,
		hprof.SubRootJNIMonitor: 8, hprof.SubUnreachable: 0, hprof.SubHeapInfo: 4,
	} {
		heap = append(append(heap, byte(tag)), bytes.Repeat([]byte{0xEE}, 8+extra)...)
		want = append(want, tag)
	}
	got, fault := subRecords(t, heap)
	assert.Nil(t, fault)
	assert.Equal(t, want, got)
}

// TestFaultySubRecords end the walk, and are told.
func TestFaultySubRecords(t *testing.T) {
	array := func(tag hprof.SubTag, count uint32, elem hprof.Type) []byte {
		b := append([]byte{byte(tag)}, make([]byte, 12)...)
		return append(binary.BigEndian.AppendUint32(b, count), byte(elem))
	}
	root := append([]byte{byte(hprof.SubRootUnknown)}, make([]byte, 8)...)
	f := func(heap []byte, want int, fault string) {
		t.Helper()
		got, err := subRecords(t, heap)
		assert.Len(t, got, want)
		if fault == "" {
			assert.Nil(t, err)
		} else if assert.NotNil(t, err) {
			assert.ErrorContains(t, err, fault)
		}
	}
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	f(join(array(hprof.SubPrimArray, 2, hprof.TypeInt), make([]byte, 8), root), 2, "")
	f(join(array(hprof.SubPrimArray, 3, hprof.TypeInt), make([]byte, 8)), 0, "a body of 12 bytes, 8 left")
	f(join(array(hprof.SubPrimArray, 0, 3), root), 0, "unknown element type 3")
	f(join(array(hprof.SubPrimArray, 1, hprof.TypeObject), make([]byte, 8), root), 0, "unknown element type 2")
	f(join(array(hprof.SubPrimArrayNoData, 1000, hprof.TypeInt), root), 2, "")
	f(join(root, []byte{0x77}, root), 1, "unknown sub-record tag 0x77")

	class := func(constants, statics, fields []byte) []byte {
		return join([]byte{byte(hprof.SubClassDump)}, make([]byte, 8+4+6*8+4), constants, statics, fields)
	}
	none, id := []byte{0, 0}, make([]byte, 8)
	f(join(class(none, none, none), root), 2, "")
	f(join(class(none, none, join([]byte{0, 1}, id, []byte{byte(hprof.TypeInt)})), root), 2, "")
	f(join(class(none, none, join([]byte{0, 1}, id, []byte{3})), root), 2, "")
	f(join(class(none, none, join([]byte{0, 2}, id, []byte{3}, id, []byte{1})), root), 0, "field of unknown type 1")
	f(join(class(none, join([]byte{0, 1}, id, []byte{3}), none), root), 0, "value of unknown type 3")
	f(join(class([]byte{0, 1, 0, 0, byte(hprof.TypeByte), 7}, none, none), root), 2, "")
}

// chunkStarts are the places where members of a chunked dump begin.
func chunkStarts(data []byte) []int {
	var at []int
	for from := 0; ; from++ {
		i := bytes.Index(data[from:], []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0})
		if i < 0 {
			return at
		}
		from += i
		at = append(at, from)
	}
}

// member is a gzip member with the name and comment of a header.
func member(t *testing.T, h gzip.Header, content []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	z.Header = h
	_, err := z.Write(content)
	require.NoError(t, errors.Join(err, z.Close()))
	return out.Bytes()
}

// TestMembersThatLieAboutTheirSize, or that are not the JDK's, are damage.
func TestMembersThatLieAboutTheirSize(t *testing.T) {
	data := big().Encode(hproftest.Shape{ChunkBytes: 5000})
	starts := chunkStarts(data)
	require.Greater(t, len(starts), 10)
	f := func(what string, harm func(data []byte) []byte, compression string) {
		t.Helper()
		dump, err := open(t, harm(bytes.Clone(data)))
		require.NoError(t, err, what)
		assert.Equal(t, compression, dump.Compression, what)
		assert.NotNil(t, dump.Damage, what)
	}
	f("more than a block", func(data []byte) []byte {
		binary.LittleEndian.PutUint32(data[starts[5]-4:], 1<<32-1)
		return data
	}, "gzip")
	f("less than it is", func(data []byte) []byte {
		binary.LittleEndian.PutUint32(data[starts[5]-4:], 7)
		return data
	}, "gzip")
	// A member with a name is none that the JDK writes: one at the end belongs to no dump, and with one
	// between two others the file is no more than gzip.
	foreign := member(t, gzip.Header{Name: "name"}, []byte("something else"))
	f("another one at the end", func(data []byte) []byte { return append(data, foreign...) }, "gzip-chunked")
	dump, err := open(t, slices.Concat(data[:starts[5]], foreign, data[starts[5]:]))
	require.NoError(t, err)
	assert.Equal(t, "gzip", dump.Compression)
	assert.Nil(t, dump.Damage)
}

// TestMembersAcrossTheBlocksInWhichTheyAreLookedFor are found.
func TestMembersAcrossTheBlocksInWhichTheyAreLookedFor(t *testing.T) {
	const block = 1 << 20
	noise := make([]byte, 3*block/2)
	_, _ = rand.NewChaCha8([32]byte{}).Read(noise) // it cannot fail, nor be compressed
	dump := raw(name(1, string(noise)), rec(hprof.TagHeapDump, nil))
	comment := gzip.Header{Comment: "HPROF BLOCKSIZE=2000000"}
	extra := len(member(t, comment, dump[:block])) - block
	for across := 1; across < 8; across++ {
		first := block - extra - across
		data := member(t, comment, dump[:first])
		require.Len(t, data, block-across, "the next one begins before the end of a block")
		f, err := open(t, append(data, member(t, gzip.Header{}, dump[first:])...))
		require.NoError(t, err)
		assert.Equal(t, "gzip-chunked", f.Compression)
		assert.Nil(t, f.Damage)
		assert.Len(t, dump, int(f.Size))
	}
}

// TestGzipWithinAMember is what a heap with something packed in it has where that could not be packed
// any more: it begins as a member does, and what lies before it may be taken for a size.
func TestGzipWithinAMember(t *testing.T) {
	noise := make([]byte, 100_000)
	_, _ = rand.NewChaCha8([32]byte{}).Read(noise) // it cannot fail, nor be compressed
	copy(noise[50_000:], []byte{0, 0, 0, 0, 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff})
	dump := raw(name(1, string(noise)), rec(hprof.TagHeapDump, nil))
	data := slices.Concat(member(t, gzip.Header{Comment: "HPROF BLOCKSIZE=200000"}, dump[:90_000]), member(t, gzip.Header{}, dump[90_000:]))
	require.Contains(t, string(data), string(noise[50_000:50_014]))
	f, err := open(t, data)
	require.NoError(t, err)
	assert.Nil(t, f.Damage)
	assert.EqualValues(t, len(dump), f.Size)
}

// TestAMemberWithinTheFirstHeader is none: what looks like it belongs to the header's own fields.
func TestAMemberWithinTheFirstHeader(t *testing.T) {
	dump := raw(name(1, "a"), rec(hprof.TagHeapDump, nil))
	packed := member(t, gzip.Header{}, dump)
	// All flags; the time, which begins as a member does behind the flags; no extra field, a name, a comment.
	header := append([]byte{0x1f, 0x8b, 8, 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0}, "n\x00HPROF BLOCKSIZE=100000\x00"...)
	header = binary.LittleEndian.AppendUint16(header, uint16(crc32.ChecksumIEEE(header)))
	f, err := open(t, slices.Concat(header, packed[10:]))
	require.NoError(t, err)
	assert.Nil(t, f.Damage)
	assert.Len(t, dump, int(f.Size))
}

// TestThreadsAndFramesOfRoots are those of the kinds that have any.
func TestThreadsAndFramesOfRoots(t *testing.T) {
	const none = -1
	for kind, want := range map[hprof.SubTag]struct {
		thread uint32
		frame  int32
	}{
		hprof.SubRootUnknown: {0, none}, hprof.SubRootStickyClass: {0, none}, hprof.SubRootJNIGlobal: {0, none},
		hprof.SubRootJNILocal: {0xA1, 0xA2}, hprof.SubRootJavaFrame: {0xA1, 0xA2}, hprof.SubRootThread: {0xA1, 0xA2}, hprof.SubRootJNIMonitor: {0xA1, 0xA2},
		hprof.SubRootNativeStack: {0xA1, none}, hprof.SubRootThreadBlock: {0xA1, none},
	} {
		root := append([]byte{byte(kind)}, make([]byte, 8)...)
		root = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(root, 0xA1), 0xA2)
		o := hprof.NewObjects(bytes.NewReader(root), 8)
		o.Reset(0, int64(len(root)))
		require.True(t, o.Next(), kind.Name())
		assert.Equal(t, want.thread, o.Thread, kind.Name())
		assert.Equal(t, want.frame, o.Frame, kind.Name())
	}
}

// TestGarbageLikeRecords costs a look at each place where a record may begin. So many are
// taken, and no more: a dump of nothing else would take hours.
func TestGarbageLikeRecords(t *testing.T) {
	rest := bytes.Join([][]byte{name(1, "a"), name(2, "b"), name(3, "c")}, nil)
	f := func(bytesOfGarbage, records int) {
		t.Helper()
		// Half of the bytes are tags, with lengths that lead to some other place of it.
		garbage := bytes.Repeat([]byte{byte(hprof.TagStartThread), 0, byte(hprof.TagUTF8), 0}, bytesOfGarbage/4)
		m := meet(t, raw([]byte{0xEE}, garbage, make([]byte, 1<<20), rest))
		assert.Len(t, m.damage, 1)
		assert.Len(t, m.records, records)
	}
	f(256<<10, 3)
	f(2<<20, 0)
}

// classOf is a class dump with instance fields of the given types.
func classOf(types ...byte) []byte {
	b := append([]byte{byte(hprof.SubClassDump)}, make([]byte, 8+4+6*8+4+2+2)...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(types)))
	for i, t := range types {
		b = append(binary.BigEndian.AppendUint64(b, uint64(i)), t)
	}
	return b
}

// TestAFieldOfUnknownType leaves the rest of the heap readable: in a class dump a field takes as
// many bytes whatever its type. Where two are, it is no class dump.
func TestAFieldOfUnknownType(t *testing.T) {
	root := append([]byte{byte(hprof.SubRootUnknown)}, make([]byte, 8)...)
	heap := slices.Concat(classOf(10, 2, 3, 10), classOf(10), root)
	o := hprof.NewObjects(bytes.NewReader(heap), 8)
	o.Reset(0, int64(len(heap)))
	require.True(t, o.Next())
	require.NotNil(t, o.Class.Fault)
	assert.Equal(t, "class dump at offset 0: field of unknown type 3", o.Class.Fault.Error())
	assert.Equal(t, []hprof.Field{{NameID: 0, Type: hprof.TypeInt}, {NameID: 1, Type: hprof.TypeObject}}, o.Class.Fields)
	require.True(t, o.Next())
	assert.Nil(t, o.Class.Fault)
	assert.Len(t, o.Class.Fields, 1)
	tags, err := subRecords(t, heap)
	assert.Equal(t, []hprof.SubTag{hprof.SubClassDump, hprof.SubClassDump, hprof.SubRootUnknown}, tags)
	assert.Nil(t, err)

	tags, err = subRecords(t, slices.Concat(classOf(10), classOf(3, 2, 77), root))
	assert.Equal(t, []hprof.SubTag{hprof.SubClassDump}, tags)
	require.NotNil(t, err)
	assert.EqualValues(t, len(classOf(10)), err.Offset)
}

// TestShortSegments are read in runs, however many there are; longer ones are by themselves, and
// so are those of another dump or behind other records.
func TestShortSegments(t *testing.T) {
	roots := func(from, n int) []byte {
		var body []byte
		for i := range n {
			body = binary.BigEndian.AppendUint64(append(body, byte(hprof.SubRootStickyClass)), uint64(from+i))
		}
		return rec(hprof.TagHeapSegment, body)
	}
	const short = 30_000
	parts := [][]byte{roots(0, 2000)}
	for i := range short {
		parts = append(parts, roots(2000+2*i, 2))
		if i%100 == 0 {
			parts = append(parts, rec(hprof.TagHeapSegment, nil), rec(hprof.TagHeapSegment, nil))
		}
	}
	next := 2000 + 2*short
	parts = append(parts, roots(next, 2000), name(1, "a"), roots(next+2000, 1), rec(hprof.TagHeapEnd, nil), roots(next+2001, 1), rec(hprof.TagHeapEnd, nil))
	f, err := open(t, raw(parts...))
	require.NoError(t, err)
	o, err := f.Outline(t.Context(), nil)
	require.NoError(t, err)
	assert.Empty(t, o.Damage)
	assert.Equal(t, 2, o.Dumps)
	assert.Len(t, o.Extents, 13+3, "800 KB in runs of 64 KiB")
	objects, seen := hprof.NewObjects(f, 8), uint64(0)
	for _, e := range o.Extents {
		for objects.Reset(e.Start, e.End); objects.Next(); seen++ {
			require.Equal(t, seen, objects.ID)
		}
		require.Nil(t, objects.Err())
	}
	assert.EqualValues(t, next+2002, seen)
}

// TestAShortSegmentBehindADump is another dump's.
func TestAShortSegmentBehindADump(t *testing.T) {
	root := append([]byte{byte(hprof.SubRootUnknown)}, make([]byte, 8)...)
	f, err := open(t, raw(rec(hprof.TagHeapDump, root), rec(hprof.TagHeapSegment, root), rec(hprof.TagHeapEnd, nil)))
	require.NoError(t, err)
	o, err := f.Outline(t.Context(), nil)
	require.NoError(t, err)
	require.Len(t, o.Extents, 2)
	assert.Equal(t, []int{0, 1}, []int{o.Extents[0].Dump, o.Extents[1].Dump})
}

// TestDamageInAHeapOfUnwrittenLength: what follows it is still heap, whatever it looks like.
func TestDamageInAHeapOfUnwrittenLength(t *testing.T) {
	root := append([]byte{byte(hprof.SubRootUnknown)}, make([]byte, 8)...)
	inside := bytes.Join([][]byte{root, {0xEE}, name(1, "a"), name(2, "b"), name(3, "c")}, nil)
	data := raw(rec(hprof.TagHeapDump, nil), inside)
	f, err := open(t, data)
	require.NoError(t, err)
	o, err := f.Outline(t.Context(), nil)
	require.NoError(t, err)
	assert.Len(t, o.Damage, 1)
	assert.Equal(t, []hprof.Extent{{Start: int64(len(data) - len(inside)), End: int64(len(data))}}, o.Extents)
}

// TestAHeapThatIsLongerThanItSays, as one of JDK 8 beyond 4 GiB is that was cut off, goes on to the end of
// the file.
func TestAHeapThatIsLongerThanItSays(t *testing.T) {
	root := append([]byte{byte(hprof.SubRootUnknown)}, make([]byte, 8)...)
	heap := bytes.Repeat(root, 100)
	f := func(says, is int, want ...hprof.Extent) {
		t.Helper()
		data := raw(rec(hprof.TagHeapDump, heap[:says]), heap[says:is])
		dump, err := open(t, data)
		require.NoError(t, err)
		o, err := dump.Outline(t.Context(), nil)
		require.NoError(t, err)
		assert.Len(t, o.Damage, 1)
		assert.Equal(t, want, o.Extents)
	}
	start := int64(len(raw()) + 9)
	f(50, 900, hprof.Extent{Start: start, End: start + 900})
	f(50, 895, hprof.Extent{Start: start, End: start + 895})
	f(54, 900, hprof.Extent{Start: start, End: start + 54}) // what follows is no heap
}

// TestReferencesOfAClass lie where HotSpot writes them.
func TestReferencesOfAClass(t *testing.T) {
	b := []byte{byte(hprof.SubClassDump)}
	id := func(n uint64) { b = binary.BigEndian.AppendUint64(b, n) }
	id(0x11)
	b = binary.BigEndian.AppendUint32(b, 0x22) // trace
	for n := range uint64(6) {                 // super, loader, signers, protection domain, reserved
		id(0x31 + n)
	}
	b = append(binary.BigEndian.AppendUint32(b, 0x44), 0, 0, 0, 0, 0, 0)
	o := hprof.NewObjects(bytes.NewReader(b), 8)
	o.Reset(0, int64(len(b)))
	require.True(t, o.Next())
	assert.EqualValues(t, 0x11, o.ID)
	assert.Equal(t, hprof.ClassDump{Trace: 0x22, Super: 0x31, Loader: 0x32, Others: [2]uint64{0x33, 0x34}, InstanceSize: 0x44}, o.Class)
	assert.False(t, o.Next())
	assert.Nil(t, o.Err())
}

// TestADumpWithoutItsEnd is one of segments that another dump follows right away.
func TestADumpWithoutItsEnd(t *testing.T) {
	segment, end, whole := rec(hprof.TagHeapSegment, nil), rec(hprof.TagHeapEnd, nil), rec(hprof.TagHeapDump, nil)
	m := meet(t, raw(name(1, "a"), segment, segment, whole))
	require.Len(t, m.damage, 1)
	assert.ErrorContains(t, m.damage[0], "heap dump without its end record at offset 67: another one begins")
	assert.Len(t, m.records, 4)
	assert.Empty(t, meet(t, raw(name(1, "a"), segment, segment, end, whole)).damage)
	assert.Empty(t, meet(t, raw(name(1, "a"), whole, whole)).damage)
}

// TestASegmentWithinASegment is one of a run if it is short, though a part of the run may end in it,
// and damage if it is longer.
func TestASegmentWithinASegment(t *testing.T) {
	root := append([]byte{byte(hprof.SubRootUnknown)}, make([]byte, 8)...)
	header := func(bytes uint32) []byte { return binary.BigEndian.AppendUint32([]byte{0x1C, 0, 0, 0, 0}, bytes) }
	for bytes, last := range map[uint32]bool{0: true, 9: true, 1023: true, 1024: false, 1 << 31: false} {
		tags, err := subRecords(t, slices.Concat(root, header(9), root, header(bytes), root))
		if last {
			assert.Len(t, tags, 3, bytes)
			assert.Nil(t, err, bytes)
			continue
		}
		assert.Len(t, tags, 2, bytes)
		require.NotNil(t, err, bytes)
		assert.EqualValues(t, 9+9+9, err.Offset, bytes)
	}
}

// TestFaultyBodyOfRecord has a stack that tells of more frames than it has: its length is right, and what it is made of
// looks like records now and then, more often than damage is put up with.
func TestFaultyBodyOfRecord(t *testing.T) {
	trace := binary.BigEndian.AppendUint32(make([]byte, 8), 1<<30)
	for i := range uint64(300_000) {
		trace = binary.BigEndian.AppendUint64(trace, i)
	}
	rest := [][]byte{name(1, "a"), name(2, "b"), rec(hprof.TagHeapDump, nil)}
	m := meet(t, raw(append([][]byte{name(3, "c"), rec(hprof.TagTrace, trace)}, rest...)...))
	assert.Len(t, m.damage, 1)
	assert.Equal(t, []hprof.Tag{hprof.TagUTF8, hprof.TagUTF8, hprof.TagUTF8, hprof.TagHeapDump}, m.records)
}
