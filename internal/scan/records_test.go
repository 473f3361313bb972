package scan_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
	"github.com/apm-sidecar/apm-sidecar/internal/scan"
)

// recordLine is what every line has.
type recordLine struct {
	Offset    int64  `json:"offset"`
	Record    string `json:"record"`
	SubRecord string `json:"sub_record"`
	Damage    string `json:"damage"`
	Length    int64  `json:"length"`
	GoesOnAt  int64  `json:"goes_on_at"`
	Text      string `json:"text"`
	ClassName string `json:"class_name"`
	Found     string `json:"found"`
	Fault     string `json:"fault"`
	Expected  string `json:"expected"`
}

// records returns the lines of a dump as text, and decoded.
func records(t *testing.T, path string, o scan.RecordOptions) (text []string, lines []recordLine, damaged int) {
	t.Helper()
	var out bytes.Buffer
	o.JSON = false
	_, err := scan.WriteRecords(t.Context(), path, &out, o)
	require.NoError(t, err)
	text = strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	out.Reset()
	o.JSON = true
	damaged, err = scan.WriteRecords(t.Context(), path, &out, o)
	require.NoError(t, err)
	for row := range strings.Lines(out.String()) {
		var l recordLine
		require.NoError(t, json.Unmarshal([]byte(row), &l), row)
		lines = append(lines, l)
	}
	require.Len(t, text, len(lines))
	return text, lines, damaged
}

// TestRecordsCoverTheFile wants every byte of a dump to belong to one record, and every
// byte of a heap record to one sub-record.
func TestRecordsCoverTheFile(t *testing.T) {
	for _, idSize := range []int{4, 8} {
		data := leak(idSize).Encode(hproftest.Shape{SegmentBytes: 5000})
		path := hproftest.WriteBytes(t, data)
		_, lines, damaged := records(t, path, scan.RecordOptions{SubRecords: true})
		assert.Zero(t, damaged)
		at, inside := int64(0), int64(0)
		for _, l := range lines {
			switch {
			case l.Record == "HEADER":
				require.Zero(t, l.Offset)
				at = l.Length
			case l.Record != "":
				require.LessOrEqual(t, inside, int64(0))
				require.Equal(t, at, l.Offset)
				at += 9
				if inside = l.Length; !strings.HasPrefix(l.Record, "HEAP_DUMP") {
					at, inside = at+l.Length, 0
				}
			default:
				require.NotEmpty(t, l.SubRecord)
				require.Equal(t, at, l.Offset)
				at, inside = at+l.Length, inside-l.Length
			}
		}
		assert.Equal(t, int64(len(data)), at)

		_, outer, _ := records(t, path, scan.RecordOptions{})
		for _, l := range outer {
			assert.Empty(t, l.SubRecord)
		}
		_, zipped, _ := records(t, leak(idSize).WriteFile(t, hproftest.Shape{SegmentBytes: 5000, Gzip: true}), scan.RecordOptions{SubRecords: true})
		assert.Equal(t, lines, zipped)
	}
}

func TestRecordsResolveNames(t *testing.T) {
	text, lines, _ := records(t, leak(8).WriteFile(t, hproftest.Shape{}), scan.RecordOptions{SubRecords: true})
	all := strings.Join(text, "\n")
	for _, want := range []string{
		`HEADER +\d+ .*version="1.0.2" id_size=8 `,
		`UTF8 +\d+ .*id=0x[0-9a-f]+ text="com/acme/Statement"`,
		`LOAD_CLASS .*class=0x[0-9a-f]+ trace=0 name_id=0x[0-9a-f]+ name="com/acme/Statement"`,
		`CLASS_DUMP .*id_name="com/acme/Statement" .*super_name="java/lang/Object" .*fields_count=2 fields=\[boolean closed, object buffer\]`,
		`INSTANCE_DUMP .*class_name="com/acme/Statement" bytes=9 body=01[0-9a-f]{16}`,
		`PRIMITIVE_ARRAY_DUMP .*type="byte" elements=200 body=0+…`,
		`ROOT_THREAD_OBJECT .*thread=1 trace=1`,
	} {
		assert.Regexp(t, want, all)
	}
	counts := map[string]int{}
	for _, l := range lines {
		counts[l.ClassName]++
	}
	assert.GreaterOrEqual(t, counts["com/acme/Statement"], 1200)
}

// TestRecordsRange gives the same lines as all of them, cut.
func TestRecordsRange(t *testing.T) {
	path := leak(8).WriteFile(t, hproftest.Shape{SegmentBytes: 5000})
	all, lines, _ := records(t, path, scan.RecordOptions{SubRecords: true})
	for _, first := range []int{0, 1, 40, len(all) / 2, len(all) - 3} {
		got, _, _ := records(t, path, scan.RecordOptions{SubRecords: true, From: lines[first].Offset, Limit: 3})
		assert.Equal(t, all[first:first+3], got)
	}
	var none bytes.Buffer
	_, err := scan.WriteRecords(t.Context(), path, &none, scan.RecordOptions{From: 1 << 40})
	require.NoError(t, err)
	assert.Empty(t, none.String())
}

// TestRecordsShowAFieldOfUnknownType: its class has a line, then the damage, then what follows.
func TestRecordsShowAFieldOfUnknownType(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	j.Class("com.acme.Odd", j.Object, hproftest.Ref("before"), hproftest.Field{Name: "odd", Type: 3})
	behind := j.Class("com.acme.Behind", j.Object)
	j.New(behind)
	text, lines, damaged := records(t, j.Finish().WriteFile(t, hproftest.Shape{}), scan.RecordOptions{SubRecords: true})
	assert.Equal(t, 1, damaged)
	at := slices.IndexFunc(lines, func(l recordLine) bool { return l.Damage != "" })
	require.Positive(t, at)
	assert.Equal(t, "class dump: field of unknown type 3", lines[at].Fault)
	assert.Equal(t, "CLASS_DUMP", lines[at-1].SubRecord)
	assert.Equal(t, lines[at-1].Offset, lines[at].Offset)
	assert.Equal(t, lines[at].GoesOnAt, lines[at+1].Offset, "nothing is skipped")
	assert.Contains(t, strings.Join(text[at:], "\n"), "com/acme/Behind")
}

// TestRecordsShowDamage breaks a record, a sub-record and the end of a file.
func TestRecordsShowDamage(t *testing.T) {
	data := leak(8).Encode(hproftest.Shape{SegmentBytes: 5000})
	_, whole, _ := records(t, hproftest.WriteBytes(t, data), scan.RecordOptions{SubRecords: true})
	find := func(match func(recordLine) bool) int {
		for i, l := range whole {
			if i > len(whole)/2 && match(l) {
				return i
			}
		}
		t.Fatal("no such line")
		return 0
	}
	damage := func(data []byte) (recordLine, []recordLine) {
		_, lines, damaged := records(t, hproftest.WriteBytes(t, data), scan.RecordOptions{SubRecords: true})
		require.Equal(t, 1, damaged)
		for i, l := range lines {
			if l.Damage != "" {
				return l, lines[i+1:]
			}
		}
		t.Fatal("no damage shown")
		return recordLine{}, nil
	}

	segment := find(func(l recordLine) bool { return l.Record == "HEAP_DUMP_SEGMENT" })
	broken := bytes.Clone(data)
	broken[whole[segment].Offset] = 0x7f
	got, after := damage(broken)
	assert.Equal(t, whole[segment].Offset, got.Offset)
	assert.True(t, strings.HasPrefix(got.Found, "7f"), got.Found)
	assert.Contains(t, got.Fault, "unknown record tag 0x7f")
	assert.Contains(t, got.Expected, "a record: tag")
	require.NotEmpty(t, after)
	assert.Equal(t, "HEAP_DUMP_SEGMENT", after[0].Record)
	assert.Equal(t, got.GoesOnAt, after[0].Offset)

	object := find(func(l recordLine) bool { return l.SubRecord == "INSTANCE_DUMP" })
	broken = bytes.Clone(data)
	broken[whole[object].Offset] = 0x7f
	got, after = damage(broken)
	assert.Equal(t, whole[object].Offset, got.Offset)
	assert.Contains(t, got.Expected, "a sub-record: tag")
	require.NotEmpty(t, after)
	assert.Equal(t, got.GoesOnAt, after[0].Offset, "the next segment")

	broken = bytes.Clone(data)
	binary.BigEndian.PutUint32(broken[whole[object].Offset+21:], 1<<30) // bytes of the body
	got, _ = damage(broken)
	assert.Regexp(t, `a body of 1073741824 bytes, \d+ left`, got.Fault)

	_, cut, damaged := records(t, hproftest.WriteBytes(t, data[:whole[object].Offset+4]), scan.RecordOptions{SubRecords: true})
	assert.Equal(t, 2, damaged, "the sub-record and the segment around it")
	assert.Equal(t, "more bytes than there are", cut[len(cut)-1].Expected)
}

// TestRecordsOfOtherTools has the records that only the hprof agent writes.
func TestRecordsOfOtherTools(t *testing.T) {
	data := hproftest.New(4).Encode(hproftest.Shape{})
	add := func(tag hprof.Tag, body ...byte) {
		data = append(data, byte(tag), 0, 0, 0, 9)
		data = append(binary.BigEndian.AppendUint32(data, uint32(len(body))), body...)
	}
	add(hprof.TagHeapSummary, append(bytes.Repeat([]byte{0, 0, 0, 1}, 2), bytes.Repeat([]byte{0, 0, 0, 0, 0, 0, 0, 2}, 2)...)...)
	add(hprof.TagStartThread, bytes.Repeat([]byte{0, 0, 0, 3}, 6)...)
	add(hprof.TagEndThread, 0, 0, 0, 3)
	add(hprof.TagUnloadClass, 0, 0, 0, 4)
	add(hprof.TagControl, 0, 0, 0, 1, 0, 8)
	add(hprof.TagAllocSites, 0, 0)
	text, _, damaged := records(t, hproftest.WriteBytes(t, data), scan.RecordOptions{})
	assert.Zero(t, damaged)
	all := strings.Join(text, "\n")
	for _, want := range []string{
		"HEAP_SUMMARY .* micros=9 live_bytes=1 live_instances=1 allocated_bytes=2 allocated_instances=2",
		"START_THREAD .* serial=3 thread=0x3 trace=3 name_id=0x3 group_id=0x3 parent_group_id=0x3",
		"END_THREAD .* serial=3", "UNLOAD_CLASS .* serial=4", "CONTROL_SETTINGS .* flags=1 depth=8", "ALLOC_SITES .* too short",
	} {
		assert.Regexp(t, want, all)
	}
}

func TestRecordsToAFullDisk(t *testing.T) {
	full := fmt.Errorf("no space left")
	_, err := scan.WriteRecords(t.Context(), leak(8).WriteFile(t, hproftest.Shape{}), failing{full}, scan.RecordOptions{})
	require.ErrorIs(t, err, full)
	_, err = scan.WriteRecords(t.Context(), filepath.Join(t.TempDir(), "missing"), &bytes.Buffer{}, scan.RecordOptions{})
	assert.ErrorIs(t, err, os.ErrNotExist)
}
