// Peers runs heapscan and its peers side by side on the same dumps and prints what
// each took: medians over several rounds, in which the programs take turns.
//
// Usage: peers [-rounds N] [-peers DIR] [-mat DIR] [-heapscan FILE] DUMP ...
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// program is one way to read a dump.
type program struct {
	name string
	// argv makes the command line from the dump and a file for the result.
	argv func(dump, result string) []string
}

// cost is what one run took.
type cost struct {
	wall, cpu time.Duration
	peak      int64 // bytes
}

func main() {
	rounds := flag.Int("rounds", 3, "how often each program reads each dump")
	peers := flag.String("peers", "build/peers/bin", "folder of hprof-slurp and hprof-analyzer")
	mat := flag.String("mat", os.Getenv("MAT_HOME"), "folder of Eclipse MAT, which is left out without (default $MAT_HOME)")
	heapscan := flag.String("heapscan", "bin/heapscan", "heapscan itself")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *rounds, *peers, *mat, *heapscan, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, rounds int, peers, mat, heapscan string, dumps []string) error {
	if len(dumps) == 0 || rounds < 1 {
		return errors.New("name the dumps, and at least one round: peers [-rounds N] DUMP")
	}
	scratch, err := os.MkdirTemp("", "peers-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	report := func(d, r string) []string { return []string{heapscan, "report", "-q", "-f", "json", "-o", r, d} }
	// In each comparison heapscan comes first.
	comparisons := [][]program{
		{
			{"heapscan histogram", func(d, r string) []string { return []string{heapscan, "histogram", "-q", "-f", "json", "-o", r, d} }},
			{"hprof-slurp", func(d, r string) []string {
				return []string{filepath.Join(peers, "hprof-slurp"), "--json", "-o", r, d}
			}},
		},
		{
			{"heapscan report", report},
			{"heapscan report, one core", func(d, r string) []string { return append([]string{"env", "GOMAXPROCS=1"}, report(d, r)...) }},
			{"hprof-analyzer", func(d, r string) []string {
				return []string{filepath.Join(peers, "hprof-analyzer"), "--format", "json", d, r}
			}},
		},
	}
	if mat != "" {
		comparisons[1] = append(comparisons[1], eclipseMAT(mat, filepath.Join(scratch, "mat")))
	}
	fmt.Println("| dump | MB | what | wall s | CPU s | peak MB | its wall time / ours | our peak / its |")
	fmt.Println("|---|---|---|---|---|---|---|---|")
	for _, dump := range dumps {
		size, err := warm(dump)
		if err != nil {
			return err
		}
		name := strings.TrimSuffix(filepath.Base(dump), ".hprof")
		for _, programs := range comparisons {
			costs := make([][]cost, len(programs))
			for range rounds {
				for i, p := range programs {
					c, err := measure(ctx, p.argv(dump, filepath.Join(scratch, "result.json")))
					if err != nil {
						return fmt.Errorf("%s on %s: %w", p.name, dump, err)
					}
					costs[i] = append(costs[i], c)
				}
			}
			ours := median(costs[0])
			row(name, size, programs[0].name, ours, "", "")
			for i, p := range programs[1:] {
				theirs := median(costs[i+1])
				row(name, size, p.name, theirs, fmt.Sprintf("%.1f", theirs.wall.Seconds()/ours.wall.Seconds()),
					fmt.Sprintf("%.2f", float64(ours.peak)/float64(theirs.peak)))
			}
		}
	}
	return nil
}

// eclipseMAT makes the indexes that MAT opens a dump with: references, dominators and
// retained sizes, no report. It would use those of the last round if it found them, so
// the dump is linked into a new folder each time.
func eclipseMAT(home, folder string) program {
	const script = `rm -rf "$2" && mkdir "$2" && ln -s "$(realpath "$3")" "$2/dump.hprof" && exec "$1/ParseHeapDump.sh" "$2/dump.hprof" -vmargs -Xmx8g`
	return program{"Eclipse MAT, its indexes", func(dump, _ string) []string { return []string{"sh", "-c", script, "sh", home, folder, dump} }}
}

// warm reads a dump once, so that nobody waits for the disk, and returns its size.
func warm(dump string) (int64, error) {
	f, err := os.Open(dump)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return io.Copy(io.Discard, f)
}

func row(dump string, size int64, what string, c cost, faster, smaller string) {
	fmt.Printf("| %s | %d | %s | %.2f | %.2f | %d | %s | %s |\n",
		dump, size/1e6, what, c.wall.Seconds(), c.cpu.Seconds(), c.peak/1e6, faster, smaller)
}

// measure runs a command and returns what it took, by the system's own account.
func measure(ctx context.Context, argv []string) (cost, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	started := time.Now()
	if err := cmd.Run(); err != nil {
		return cost{}, fmt.Errorf("%w: %s", err, strings.TrimSpace(stderr.String()))
	}
	wall := time.Since(started)
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return cost{}, errors.New("this system does not tell what a process took")
	}
	cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return cost{wall, cpu, int64(usage.Maxrss) * 1024}, nil
}

// median returns the medians of the parts, each by itself.
func median(all []cost) cost {
	pick := func(of func(cost) int64) int64 {
		values := make([]int64, len(all))
		for i, c := range all {
			values[i] = of(c)
		}
		slices.Sort(values)
		return values[len(values)/2]
	}
	return cost{
		wall: time.Duration(pick(func(c cost) int64 { return int64(c.wall) })),
		cpu:  time.Duration(pick(func(c cost) int64 { return int64(c.cpu) })),
		peak: pick(func(c cost) int64 { return c.peak }),
	}
}
