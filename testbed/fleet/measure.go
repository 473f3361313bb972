package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// usage is what a process has used up.
type usage struct {
	cpu time.Duration
	// resident is its memory now, peak the most that it ever was; bytes.
	resident, peak int64
}

// usageOf reads the clock that the system keeps of a process's processor time, to the
// nanosecond, threads that have ended among it, and /proc (proc(5)).
func usageOf(pid int) (usage, error) {
	var spent unix.Timespec
	if err := unix.ClockGettime(cpuClock(pid), &spent); err != nil {
		return usage{}, fmt.Errorf("processor time of process %d: %w", pid, err)
	}
	u := usage{cpu: time.Duration(spent.Nano())}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return usage{}, err
	}
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		var kib int64
		if name == "VmRSS" || name == "VmHWM" {
			if _, err := fmt.Sscanf(value, "%d kB", &kib); err != nil {
				return usage{}, err
			}
		}
		switch name {
		case "VmRSS":
			u.resident = kib << 10
		case "VmHWM":
			u.peak = kib << 10
		}
	}
	return u, nil
}

// cpuClock is what clock_getcpuclockid(3) gives for a process: Linux has the number in the
// clock's id, inverted, and below it which clock it is.
func cpuClock(pid int) int32 {
	const scheduled = 2 // of user and system together, as the scheduler counts it
	return int32(^pid<<3 | scheduled)
}

// get reads the answer to a GET.
func get(ctx context.Context, from string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", from, resp.Status, body)
	}
	return body, err
}

// statsOf asks the stage.
func statsOf(ctx context.Context, stageURL string) (stats, error) {
	var s stats
	body, err := get(ctx, stageURL+"/stats")
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(body, &s)
}

// sum adds up the values of a self metric of the sidecar over its labels.
func sum(ctx context.Context, sidecarURL, metric string) (float64, error) {
	body, err := get(ctx, sidecarURL+"/metrics")
	if err != nil {
		return 0, err
	}
	total := 0.0
	for line := range strings.Lines(string(body)) {
		if !strings.HasPrefix(line, metric+"{") {
			continue
		}
		fields := strings.Fields(line)
		v, err := strconv.ParseFloat(fields[len(fields)-1], 64)
		if err != nil {
			return 0, err
		}
		total += v
	}
	return total, nil
}

// stored is how many samples up to a time the sidecar's own store has: staleness markers, which
// only one function of MetricsQL counts, among them.
func stored(ctx context.Context, sidecarURL string, until time.Time) (float64, error) {
	const jvms = `({job="jvm"}[1d])`
	query := url.Values{
		"query":   {"sum(count_over_time" + jvms + ") + sum(stale_samples_over_time" + jvms + ")"},
		"time":    {strconv.FormatFloat(float64(until.UnixMilli())/1000, 'f', 3, 64)},
		"nocache": {"1"},
	}
	body, err := get(ctx, sidecarURL+"/api/v1/query?"+query.Encode())
	if err != nil {
		return 0, err
	}
	var answer struct {
		Data struct {
			Result []struct {
				Value [2]any `json:"value"` // time, value as a string
			} `json:"result"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return 0, err
	}
	if len(answer.Data.Result) == 0 {
		return 0, nil
	}
	text, _ := answer.Data.Result[0].Value[1].(string)
	return strconv.ParseFloat(text, 64)
}
