//go:build amd64 || arm64

package offheap

import "unsafe"

// prefetch asks the processor to have the cache line at p ready soon.
//
//go:noescape
func prefetch(p unsafe.Pointer)
