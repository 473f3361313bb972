package jmx

import "github.com/apm-sidecar/apm-sidecar/internal/jvm"

// snapshot is one with the memory of its parts, in which one poll after the other is
// taken down.
type snapshot struct {
	jvm.Snapshot

	runtime jvm.Runtime
	memory  jvm.Memory
	threads jvm.Threads
	os      jvm.OS
	pools   []jvm.Pool
	gcs     []jvm.GC
	// after, last and changes are what pools and collectors refer to.
	after   []jvm.Usage
	last    []jvm.LastGC
	changes []jvm.PoolChange
}

// newSnapshot is one with room for what a JVM usually has.
func newSnapshot() *snapshot {
	return &snapshot{pools: make([]jvm.Pool, 0, 8), gcs: make([]jvm.GC, 0, 4)}
}

// snapshot is one without anything in it.
func (b *Buffers) snapshot() *snapshot {
	s, ok := b.snapshots.Get().(*snapshot)
	if !ok {
		return newSnapshot()
	}
	s.Snapshot = jvm.Snapshot{}
	s.after, s.last, s.changes = s.after[:0], s.last[:0], s.changes[:0]
	return s
}

// Done gives back the memory of the snapshot that Poll gave last, for whoever polls next:
// nothing of it may be used afterwards. Who wants to keep a snapshot does not call it.
func (c *Client) Done() {
	if c.lent != nil {
		c.opts.Buffers.snapshots.Put(c.lent)
		c.lent = nil
	}
}

// keep puts a value into memory that others may be in, and gives its place, which stays
// where the memory grows elsewhere.
func keep[T any](memory *[]T, value T) *T {
	*memory = append(*memory, value)
	return &(*memory)[len(*memory)-1]
}
