package finding

import (
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
)

// pressure is what a dump tells of the heap being short of memory: the evidence by
// which a big collection is more than one in use.
type pressure struct {
	// outOfMemory says that the dump was written at an OutOfMemoryError, thread in
	// which thread.
	outOfMemory bool
	thread      string
	// metaspace says that it was another error than one of the heap: the thread was defining a class
	// while the heap had room. outOfMemory is false then.
	metaspace bool
	// maxBytes is the heap's limit, 0 where the dump does not tell it.
	maxBytes int64
	// liveBytes is what is reachable.
	liveBytes int64
}

const (
	// fullShare is the percentage of its limit at which the live heap leaves the
	// collector too little room.
	fullShare = 90
	// mostShare is the percentage of a full heap that one holder must have to be
	// blamed for it.
	mostShare = 50
	// roomyShare is the percentage of its limit below which a live heap has room for a class.
	roomyShare = 75
	// unsetDirectMemory is what the field tells before the JVM has set it.
	unsetDirectMemory = 64 << 20
)

// readPressure reads what the dump tells.
//
// Sources: HeapDumper of HotSpot puts a frame of OutOfMemoryError's constructor on top
// of the stack of the thread that ran out of memory. jdk.internal.misc.VM (sun.misc.VM
// until JDK 8) keeps the limit of direct memory, which is that of the heap unless
// -XX:MaxDirectMemorySize is given; a limit below what lives is that option's.
func (h *Heap) readPressure() pressure {
	p, defines := pressure{liveBytes: int64(h.Tree.Total())}, false
	for stack := range h.Stacks() {
		if len(stack.Frames) > 0 && stack.Frames[0].Class == "java.lang.OutOfMemoryError" && stack.Frames[0].Method == "<init>" {
			p.outOfMemory, p.thread = true, h.threadName(stack.Object)
			defines = definesClass(stack.Frames[1:])
			break
		}
	}
	for _, class := range []string{"jdk.internal.misc.VM", "sun.misc.VM"} {
		if v, ok := h.Static(class, "directMemory"); ok && int64(v) > p.liveBytes && v != unsetDirectMemory {
			p.maxBytes = int64(v)
		}
	}
	if p.outOfMemory && defines && p.liveBytes*100 < p.maxBytes*roomyShare {
		p.outOfMemory, p.metaspace = false, true
	}
	return p
}

// definesClass says whether the innermost frame is the JDK's in which the JVM makes a class.
//
// Source: java.lang.ClassLoader.defineClass1, jdk.internal.misc.Unsafe.defineClass0, sun.misc.Unsafe,
// java.lang.reflect.Proxy.defineClass0, java.lang.Class.forName0 of JDK 7 to 25.
func definesClass(frames []heap.Frame) bool {
	if len(frames) == 0 || !platform(frames[0].Class) {
		return false
	}
	m := frames[0].Method
	return strings.HasPrefix(m, "defineClass") || strings.HasPrefix(m, "defineAnonymousClass") || m == "forName0"
}

// full says whether the live heap is near its limit.
func (p pressure) full() bool { return p.maxBytes > 0 && p.liveBytes*100 >= p.maxBytes*fullShare }

// severity judges what retains bytes and is, for all that a single dump can tell,
// merely in use.
func (p pressure) severity(bytes int64) Severity {
	switch {
	case p.outOfMemory && bytes*100 >= p.liveBytes*criticalShare:
		return SeverityCritical
	case p.full() && bytes*100 >= p.liveBytes*mostShare:
		return SeverityWarning
	}
	return SeverityInfo
}
