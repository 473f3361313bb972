package main

import "runtime/debug"

// garbagePercent is how much garbage there may be before it is collected, as a share of
// what is in use: half of Go's own. With a thousand JVMs that is a seventh of the memory
// for about a tenth of the processor time, of which there is little.
const garbagePercent = 50

// collectEarly sets it unless GOGC does.
func collectEarly(getenv func(string) string) {
	if getenv("GOGC") == "" {
		debug.SetGCPercent(garbagePercent)
	}
}
