package store

import (
	"flag"
	"fmt"
	"strconv"
	"time"

	"github.com/VictoriaMetrics/VictoriaMetrics/lib/cgroup"
)

// setFlags configures VictoriaMetrics the only way it can be: through the flags
// its packages registered in the standard flag set. The program's own command
// line is not read: cobra owns it and never shows these flags. One that has its value is
// left alone: goroutines of VictoriaMetrics outlive the store that was open before, and
// read some.
func setFlags(opts Options) error {
	processors := cgroup.AvailableCPUs()
	hours := (opts.Retention + time.Hour - 1) / time.Hour
	for _, f := range []struct{ name, value string }{
		{"storageDataPath", opts.Dir},
		{"retentionPeriod", strconv.FormatInt(int64(hours), 10) + "h"},
		{"storage.minFreeDiskSpaceBytes", strconv.Itoa(engineMinFreeBytes)},
		// One is there for a moment (see save), unless the process is killed in it.
		{"snapshotsMaxAge", "1h"},
		{"memory.allowedBytes", strconv.FormatInt(opts.MemoryBytes, 10)},
		{"storage.cacheSizeIndexDBDataBlocks", strconv.FormatInt(blockCacheBytes(opts.MemoryBytes/4, processors), 10)},
		{"storage.cacheSizeIndexDBIndexBlocks", strconv.FormatInt(blockCacheBytes(opts.MemoryBytes/10, processors), 10)},
		// The default of 30 s hides the newest samples from queries and vmui.
		{"search.latencyOffset", "1s"},
		// Without it any page a browser has open may read the answers.
		{"http.disableCORS", "true"},
	} {
		if set := flag.Lookup(f.name); set != nil && set.Value.String() == f.value {
			continue
		}
		if err := flag.Set(f.name, f.value); err != nil {
			return fmt.Errorf("store: set %s: %w", f.name, err)
		}
	}
	if !flag.Parsed() {
		// lib/memory panics unless the standard flag set was parsed.
		if err := flag.CommandLine.Parse(nil); err != nil {
			return fmt.Errorf("store: parse flags: %w", err)
		}
	}
	return nil
}

// blockCacheBytes bounds a cache of blocks of the engine's index: usually so much, as its
// defaults are, or more. The engine splits such a cache by processors, into 4 parts where there are
// 2 and 256 where there are 16 (lib/blockcache, NewCache), and a block has 64 KiB: none would fit then, and each
// look at the index would unpack some.
func blockCacheBytes(usual int64, processors int) int64 {
	const leastPart = 512 << 10
	return max(usual, int64(processors*min(processors, 16))*leastPart)
}
