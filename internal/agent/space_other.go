//go:build !unix

package agent

import "github.com/apm-sidecar/apm-sidecar/internal/jvm"

// freeBytes is unknown here.
func freeBytes(string) jvm.Opt[int64] { return jvm.Opt[int64]{} }
