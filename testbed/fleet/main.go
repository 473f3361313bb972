// Fleet measures what the sidecar costs: it runs it as a process against a fleet of
// JVMs that another process plays, and prints CPU time and memory, and whether
// samples were lost. Everything is counted that the sidecar does: asking, decoding,
// deriving, queueing, sending or storing.
//
// Usage: fleet [-targets N] [-interval D] [-for D] [-embedded] [-transactions [-workers N -busy N]] [-sidecar FILE,FILE [-together]]
//
// Several programs take turns, a line each, or with -together run at the same time, each
// with JVMs of its own: on a machine with other work that is what can be compared, for
// others' work and the processor's speed are the same for all. One whose name begins with "vmagent" is
// VictoriaMetrics' vmagent, which scrapes an exporter of as many samples a JVM.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// settings are the flags.
type settings struct {
	targets            int
	interval, window   time.Duration
	embedded           bool
	transactions       bool
	workers, busy      int
	rounds             int
	sidecars, testdata string
	together, stage    bool
}

func main() {
	var s settings
	flag.IntVar(&s.targets, "targets", 1000, "number of JVMs")
	flag.DurationVar(&s.interval, "interval", 10*time.Second, "time between two polls of a JVM")
	flag.DurationVar(&s.window, "for", 30*time.Second, "how long to measure, after two intervals to warm up")
	flag.BoolVar(&s.embedded, "embedded", false, "with the embedded store instead of remote write")
	flag.BoolVar(&s.transactions, "transactions", false, "follow requests in flight as well, each second")
	flag.IntVar(&s.workers, "workers", 0, "request processors of each JVM")
	flag.IntVar(&s.busy, "busy", 0, "how many of them have a request in hand")
	flag.IntVar(&s.rounds, "rounds", 1, "how often each program takes its turn")
	flag.StringVar(&s.sidecars, "sidecar", "bin/apm-sidecar", "programs to measure, separated by commas")
	flag.BoolVar(&s.together, "together", false, "measure the programs at the same time rather than in turn")
	flag.StringVar(&s.testdata, "testdata", "internal/jmx/testdata", "folder of the recorded JVMs")
	flag.BoolVar(&s.stage, "stage", false, "play the JVMs; the program starts itself so")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, s); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings) error {
	if s.stage {
		return stage(ctx, s)
	}
	if s.targets < 1 || s.interval <= 0 || s.window < s.interval || s.rounds < 1 {
		return errors.New("at least one target and one round, and -for no shorter than -interval")
	}
	fmt.Println("| program | targets | interval | to | CPU ms a poll | cores | MB | peak MB | samples a poll | bytes a sample | polls left out | samples lost | looks | stacks | records | looks left out |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|")
	for range s.rounds {
		if err := round(ctx, strings.Split(s.sidecars, ","), s); err != nil {
			return err
		}
	}
	return nil
}

// round measures each program once, and prints their rows.
func round(ctx context.Context, programs []string, s settings) error {
	g, ctx := errgroup.WithContext(ctx)
	if !s.together {
		g.SetLimit(1)
	}
	rows := make([]string, len(programs))
	for i, program := range programs {
		g.Go(func() error {
			r, err := measure(ctx, program, s)
			if err != nil {
				return fmt.Errorf("%s: %w", program, err)
			}
			rows[i] = r.row(program, s)
			return nil
		})
	}
	err := g.Wait()
	for _, row := range rows {
		if row != "" {
			fmt.Println(row)
		}
	}
	return err
}

// result is what one run of a sidecar took.
type result struct {
	usage
	// polls and samples are those of the window.
	polls, bytes int64
	samples      float64
	// leftOut are polls that came too late, lost are samples that were handed over
	// and did not arrive, both since the start.
	leftOut, lost float64
	// looks at requests in flight, stacks taken, records made and looks left out, since
	// the start.
	looks, stacks, records, missed float64
	// counts says that all of these are known.
	counts bool
}

func (r result) row(program string, s settings) string {
	to, bytesEach := "remote write", fmt.Sprintf("%.2f", float64(r.bytes)/r.samples)
	if s.embedded {
		to, bytesEach = "embedded store", ""
	}
	counts := make([]string, 6)
	if r.counts {
		for i, n := range []float64{r.leftOut, r.lost, r.looks, r.stacks, r.records, r.missed} {
			counts[i] = fmt.Sprintf("%.0f", n)
		}
	}
	return fmt.Sprintf("| %s | %d | %v | %s | %.3f | %.3f | %.0f | %.0f | %.1f | %s | %s |",
		program, s.targets, s.interval, to,
		r.cpu.Seconds()*1000/float64(r.polls), r.cpu.Seconds()/s.window.Seconds(),
		float64(r.resident)/1e6, float64(r.peak)/1e6,
		r.samples/float64(r.polls), bytesEach, strings.Join(counts, " | "))
}
