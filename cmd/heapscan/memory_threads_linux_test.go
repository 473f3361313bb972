package main

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
)

// parkedThreads is how many threads the dump of writeThreads has.
const parkedThreads = 400_000

// writeThreads writes a dump of threads that all are parked on one lock.
func writeThreads(t *testing.T) string {
	t.Helper()
	d := newRawDump(t, "threads.hprof")
	be := binary.BigEndian
	words := func(b []byte, all ...uint64) []byte {
		for _, v := range all {
			b = be.AppendUint64(b, v)
		}
		return b
	}
	const lock, base = 0x80000, 0x100000
	names := []string{"java/lang/Object", "java/lang/Thread", "java/lang/String", "[B", "name", "parkBlocker", "threadStatus", "value",
		"java/util/concurrent/locks/AbstractOwnableSynchronizer", "exclusiveOwnerThread"}
	classes := map[string]uint64{}
	for i, name := range names {
		d.record(1, append(words(nil, uint64(i+1)), name...))
	}
	id := func(name string) uint64 {
		for i, n := range names {
			if n == name {
				return uint64(i + 1)
			}
		}
		return 0
	}
	var heap []byte
	class := func(name, super string, size uint32, fields ...string) {
		address := 0x1000 + 0x100*uint64(len(classes))
		classes[name] = address
		d.record(2, words(be.AppendUint32(words(be.AppendUint32(nil, uint32(len(classes))), address), 0), id(name)))
		heap = words(be.AppendUint32(words(append(heap, 0x20), address), 0), classes[super], 0, 0, 0, 0, 0)
		heap = be.AppendUint16(be.AppendUint32(heap, size), 0)
		heap = be.AppendUint16(be.AppendUint16(heap, 0), uint16(len(fields)))
		for _, f := range fields {
			of := byte(2)
			if f == "threadStatus" {
				of = 10
			}
			heap = append(words(heap, id(f)), of)
		}
	}
	class(names[0], "", 0)
	class(names[1], names[0], 20, "name", "parkBlocker", "threadStatus")
	class(names[2], names[0], 8, "value")
	class(names[3], names[0], 0)
	class(names[8], names[0], 8, "exclusiveOwnerThread")
	instance := func(address uint64, class string, body ...byte) {
		heap = words(be.AppendUint32(words(append(heap, 0x21), address), 0), classes[class])
		heap = append(be.AppendUint32(heap, uint32(len(body))), body...)
	}
	instance(lock, names[8], words(nil, base)...)
	for i := range uint64(parkedThreads) {
		address, waitsFor, state := base+128*i, uint64(lock), uint32(0x291)
		if i == 0 {
			waitsFor, state = 0, 5
		}
		heap = be.AppendUint32(be.AppendUint32(words(append(heap, 8), address), uint32(i+1)), 0)
		instance(address, names[1], be.AppendUint32(words(nil, address+64, waitsFor), state)...)
		instance(address+64, names[2], words(nil, address+96)...)
		name := "pool-1-thread-" + strconv.FormatUint(i, 10)
		heap = be.AppendUint32(be.AppendUint32(words(append(heap, 0x23), address+96), 0), uint32(len(name)))
		heap = append(append(heap, 8), name...)
		if len(heap) > 1<<20 {
			d.record(0x1c, heap)
			heap = heap[:0]
		}
	}
	d.record(0x1c, heap)
	return d.finish()
}

// TestMemoryOfThreads holds a scan to its limit that notes much of each thread, or has it refused before
// that.
func TestMemoryOfThreads(t *testing.T) {
	if testing.Short() {
		t.Skip("writes and reads a dump of 60 MB")
	}
	program, dump := buildHeapscan(t), writeThreads(t)
	for _, megabytes := range []int64{100, 150, 200, 240, 280} {
		cmd := exec.CommandContext(t.Context(), program, "-q", "--max-memory", strconv.FormatInt(megabytes, 10)+"M", "-o", os.DevNull, dump)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		peak, err := runToPeak(t, cmd)
		t.Logf("%d MiB of %d: %v %s", peak>>20, megabytes, err, stderr.String())
		assert.LessOrEqual(t, peak, megabytes<<20)
		if err != nil {
			assert.Contains(t, stderr.String(), "hint: --max-memory ")
			assert.Less(t, peak, int64(100<<20), "it is refused before anything is noted")
		}
	}
}
