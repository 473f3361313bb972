//go:build !amd64 && !arm64

package offheap

import "unsafe"

func prefetch(unsafe.Pointer) {}
