package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/apm-sidecar/apm-sidecar/testbed/harness"
)

// handedMetric counts the samples that the agent handed over.
const handedMetric = "apm_sidecar_samples_total"

// settleTimeout is how long samples may be under way once the JVMs are silent. It is shorter
// than the sidecar waits for an answer: then it has to say that they are down.
const settleTimeout = 8 * time.Second

// settlePause lies between two looks at whether samples are under way still: longer than
// a poll and the gathering of samples take.
const settlePause = 710 * time.Millisecond

// searchable is how long the store may take until what it was given can be asked for.
const searchable = 3 * time.Second

// measure runs a program against the fleet.
func measure(ctx context.Context, program string, s settings) (_ result, err error) {
	bench, err := harness.NewBench()
	if err != nil {
		return result{}, err
	}
	defer func() {
		if closed := bench.Close(); err == nil {
			err = closed
		}
	}()
	stageURL, err := startStage(ctx, bench, s)
	if err != nil {
		return result{}, err
	}
	start := startSidecar
	if strings.HasPrefix(filepath.Base(program), "vmagent") {
		start = startVMAgent
	}
	subject, err := start(ctx, bench, program, stageURL, s)
	if err != nil {
		return result{}, err
	}
	// Connections, labels and the slow tier come first.
	if err := wait(ctx, 2*s.interval); err != nil {
		return result{}, err
	}
	// Its own metrics are asked for outside the window: what a thousand JVMs' cost is a
	// tenth of what their polls do.
	handedBefore, err := handedBy(ctx, subject)
	if err != nil {
		return result{}, err
	}
	before, err := look(ctx, subject, stageURL)
	if err != nil {
		return result{}, err
	}
	if err := wait(ctx, s.window); err != nil {
		return result{}, err
	}
	after, err := look(ctx, subject, stageURL)
	if err != nil {
		return result{}, err
	}
	handedAfter, err := handedBy(ctx, subject)
	if err != nil {
		return result{}, err
	}
	r := result{
		usage:   usage{after.cpu - before.cpu, after.resident, after.peak},
		polls:   after.Polls - before.Polls,
		samples: float64(after.Samples - before.Samples),
		bytes:   after.Bytes - before.Bytes,
		counts:  subject.counts,
	}
	if s.embedded {
		r.samples = handedAfter - handedBefore
	}
	if r.polls == 0 {
		return r, fmt.Errorf("it polled nobody\n%s", subject.Tail())
	}
	if !subject.counts {
		return r, nil
	}
	if r.leftOut, err = sum(ctx, subject.url, "apm_sidecar_poll_skipped_total"); err != nil {
		return r, err
	}
	for metric, into := range map[string]*float64{
		"apm_sidecar_requests_look_duration_seconds_count": &r.looks, "apm_sidecar_stacks_total": &r.stacks,
		"apm_sidecar_transaction_records_total": &r.records, "apm_sidecar_looks_missed_total": &r.missed,
	} {
		if *into, err = sum(ctx, subject.url, metric); err != nil {
			return r, err
		}
	}
	r.lost, err = lost(ctx, stageURL, subject, s)
	return r, err
}

// subject is a program that is measured.
type subject struct {
	*harness.Process
	url string
	// counts says that it tells what it handed over and left out, as the sidecar does.
	counts bool
}

// startStage starts this program again as the JVMs and the receiver.
func startStage(ctx context.Context, bench *harness.Bench, s settings) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	process, err := bench.Start(ctx, harness.Command{
		Name: "stage", Path: self,
		Args: []string{"-stage", "-targets", fmt.Sprint(s.targets), "-interval", s.interval.String(), "-testdata", s.testdata, "-workers", fmt.Sprint(s.workers), "-busy", fmt.Sprint(s.busy)},
	})
	if err != nil {
		return "", err
	}
	address, err := process.AwaitOutput(ctx, regexp.MustCompile(`stage=(\S+)`))
	if err != nil {
		return "", err
	}
	return "http://" + address[1], nil
}

// startSidecar starts the program with its defaults, but for what the settings say.
func startSidecar(ctx context.Context, bench *harness.Bench, program, stageURL string, s settings) (subject, error) {
	var text strings.Builder
	fmt.Fprintf(&text, "interval: %v\ntransactions:\n  enabled: %v\n", s.interval, s.transactions)
	if !s.embedded {
		fmt.Fprintf(&text, "remote_write:\n- url: %s/api/v1/write\n", stageURL)
	}
	text.WriteString("targets:\n")
	for i := range s.targets {
		fmt.Fprintf(&text, "- url: %s/%d/jolokia/\n  labels: {instance: \"jvm-%d\"}\n", stageURL, i, i)
	}
	file := filepath.Join(bench.Dir, "apm-sidecar.yml")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		return subject{}, err
	}
	process, err := bench.Start(ctx, harness.Command{
		Name: "apm-sidecar", Path: program,
		Args: []string{"run", "--config", file, "--listen", "127.0.0.1:0", "--data-dir", filepath.Join(bench.Dir, "data")},
	})
	if err != nil {
		return subject{}, err
	}
	address, err := process.AwaitOutput(ctx, regexp.MustCompile(`msg=listening .*\baddr=(\S+)`))
	if err != nil {
		return subject{}, err
	}
	return subject{process, "http://" + address[1], true}, nil
}

// sight is what a look sees.
type sight struct {
	usage
	stats
}

// look reads what the subject has used up, and what the stage has seen.
func look(ctx context.Context, of subject, stageURL string) (seen sight, err error) {
	if seen.usage, err = usageOf(of.PID()); err != nil {
		return seen, err
	}
	seen.stats, err = statsOf(ctx, stageURL)
	return seen, err
}

// handedBy are the samples that the subject says it has handed over, 0 where it says none.
func handedBy(ctx context.Context, of subject) (float64, error) {
	if !of.counts {
		return 0, nil
	}
	return sum(ctx, of.url, handedMetric)
}

// lost is how many samples were handed over and did not arrive. It silences the JVMs first:
// while polls go on some samples are always under way.
func lost(ctx context.Context, stageURL string, of subject, s settings) (float64, error) {
	if _, err := get(ctx, stageURL+silencePath); err != nil {
		return 0, err
	}
	deadline := time.Now().Add(settleTimeout)
	missing := -1.0
	for before := -1.0; missing != 0 && time.Now().Before(deadline); {
		if err := wait(ctx, settlePause); err != nil {
			return missing, err
		}
		handed, err := handedBy(ctx, of)
		if err != nil {
			return missing, err
		}
		if handed != before {
			before = handed
			continue
		}
		arrived, err := arrivedFrom(ctx, stageURL, of, s)
		if err != nil {
			return missing, err
		}
		missing = handed - arrived
	}
	return missing, nil
}

// arrivedFrom is how many samples the receiver, or the sidecar's own store, has.
func arrivedFrom(ctx context.Context, stageURL string, of subject, s settings) (float64, error) {
	if !s.embedded {
		seen, err := statsOf(ctx, stageURL)
		return float64(seen.Samples), err
	}
	at := time.Now()
	if err := wait(ctx, searchable); err != nil {
		return 0, err
	}
	return stored(ctx, of.url, at)
}

// wait lets time pass.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
