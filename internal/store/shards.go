package store

import _ "unsafe" // for the link

// rawRowsShards is in how many pieces the engine keeps the rows of the last two seconds: one for
// each processor, of 8 MiB each, so that many can write at once. Here one worker writes, and would use
// them in turn: 128 MiB with 16 processors. The engine has no other way to say so; it reads this when it
// opens its files.
//
//go:linkname rawRowsShards github.com/VictoriaMetrics/VictoriaMetrics/lib/storage.rawRowsShardsPerPartition
var rawRowsShards int
