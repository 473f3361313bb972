package store_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/series"
	"github.com/apm-sidecar/apm-sidecar/internal/store"
)

// BenchmarkWrite writes an instant of 100,000 series, a hundred of each of a thousand
// JVMs, by the polls of a hundred JVMs at a time. The CPU time is that of everything in
// the process, merges in the background among it.
func BenchmarkWrite(b *testing.B) {
	const jvms, together, each = 1000, 100, 100
	s, err := store.Open(store.Options{Dir: b.TempDir()})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, s.Close()) })
	instant := make([]series.Sample, 0, jvms*each)
	for j := range jvms {
		labels := []series.Label{{Name: "instance", Value: fmt.Sprint("jvm-", j)}, {Name: "job", Value: "jvm"}, {Name: "pool", Value: "G1 Old Gen"}}
		for i := range each {
			instant = append(instant, series.Sample{Name: fmt.Sprint("jvm_memory_pool_", i, "_bytes"), Labels: labels})
		}
	}
	at := time.Now().Add(-24 * time.Hour).UnixMilli()
	write := func() {
		at += 10_000
		for from := 0; from < len(instant); from += together * each {
			part := instant[from : from+together*each]
			for i := range part {
				part[i].TimeMs, part[i].Value = at, part[i].Value+float64(i)
			}
			require.NoError(b, s.Write(part))
		}
	}
	write() // makes the series
	before := cpuTime(b)
	for b.Loop() {
		write()
	}
	b.ReportMetric(float64(b.N*len(instant))/(cpuTime(b)-before).Seconds(), "samples/cpu-s")
}

// cpuTime is what this process has used up.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
