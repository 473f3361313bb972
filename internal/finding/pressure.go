package finding

// pressure is what a dump tells of the heap being short of memory: the evidence by
// which a big collection is more than one in use.
type pressure struct {
	// outOfMemory says that the dump was written at an OutOfMemoryError, thread in
	// which thread.
	outOfMemory bool
	thread      string
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
	// unsetDirectMemory is what the field tells before the JVM has set it.
	unsetDirectMemory = 64 << 20
)

// pressure reads what the dump tells.
//
// Sources: HeapDumper of HotSpot puts a frame of OutOfMemoryError's constructor on top
// of the stack of the thread that ran out of memory. jdk.internal.misc.VM (sun.misc.VM
// until JDK 8) keeps the limit of direct memory, which is that of the heap unless
// -XX:MaxDirectMemorySize is given; a limit below what lives is that option's.
func (h *Heap) pressure() pressure {
	p := pressure{liveBytes: int64(h.Tree.Total())}
	for stack := range h.Stacks() {
		if len(stack.Frames) > 0 && stack.Frames[0].Class == "java.lang.OutOfMemoryError" && stack.Frames[0].Method == "<init>" {
			p.outOfMemory, p.thread = true, h.threadNames[stack.Object]
			break
		}
	}
	for _, class := range []string{"jdk.internal.misc.VM", "sun.misc.VM"} {
		if v, ok := h.Static(class, "directMemory"); ok && int64(v) > p.liveBytes && v != unsetDirectMemory {
			p.maxBytes = int64(v)
		}
	}
	return p
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
