package finding_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// TestMemoryOfArenas has memory that arenas hold, as JDK 25 and 21 note it.
func TestMemoryOfArenas(t *testing.T) {
	build := func(class, field string, n int) []finding.Finding {
		j := hproftest.NewJDK(25, 8)
		cleanup := j.Class(class, j.Object, hproftest.Long(field))
		tile := j.Class("com.acme.Tile", j.Object, hproftest.Ref("segment"))
		tiles := make([]*hproftest.Object, n)
		for i := range tiles {
			tiles[i] = j.New(tile).Set("segment", j.New(cleanup).Set(field, int64(1<<20)))
		}
		j.Class("com.acme.Map", j.Object).Static("TILES", j.Array(j.Objects, tiles...))
		return byKind("direct-buffers", detect(t, j))
	}
	for class, field := range map[string]string{
		"jdk.internal.foreign.SegmentFactories$1":        "val$allocationSize",
		"jdk.internal.foreign.NativeMemorySegmentImpl$1": "val$alignedSize",
	} {
		f := only(t, "direct-buffers", build(class, field, 200))
		assert.Equal(t, "200 pieces of native memory of arenas hold 200 MiB outside the heap", f.Title)
		assert.Equal(t, finding.SeverityInfo, f.Severity)
		assert.Equal(t, int64(200<<20), f.Bytes)
		assert.Contains(t, f.Summary, "200 of them by way of field Tile.segment.")
		assert.Contains(t, f.Advice, "Close an arena")
		assert.Empty(t, build(class, field, 50), "that is little")
	}
	assert.Empty(t, build("com.acme.Segment", "val$allocationSize", 200))
}

// TestMappedFiles has buffers of mapped files: few of them are what an index is kept in.
func TestMappedFiles(t *testing.T) {
	build := func(n int) []finding.Finding {
		j := hproftest.NewJDK(17, 8)
		buffer := j.Class("java.nio.Buffer", j.Object, hproftest.Int("capacity"))
		mapped := j.Class("java.nio.MappedByteBuffer", buffer, hproftest.Ref("fd"))
		direct := j.Class("java.nio.DirectByteBuffer", mapped, hproftest.Ref("cleaner"))
		cleaner, fd := j.New(j.Class("jdk.internal.ref.Cleaner", j.Object)), j.New(j.Class("java.io.FileDescriptor", j.Object))
		all := make([]*hproftest.Object, n)
		for i := range all {
			all[i] = j.New(direct).Set("capacity", int32(1<<20)).Set("cleaner", cleaner).Set("fd", fd)
		}
		j.Class("com.acme.Store", j.Object).Static("SEGMENTS", j.Array(j.Objects, all...))
		return byKind("direct-buffers", detect(t, j))
	}
	f := only(t, "direct-buffers", build(2000))
	assert.Equal(t, "2,000 MappedByteBuffers map 1.95 GiB of files into memory", f.Title)
	assert.Contains(t, f.Summary, "by way of static field Store.SEGMENTS.")
	assert.Empty(t, build(900))
}
