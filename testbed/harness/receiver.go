package harness

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
)

// ErrNoReceiver says that a receiver of samples is not installed.
var ErrNoReceiver = errors.New("not installed")

// Receiver is a group of processes that takes samples and answers queries. It can
// be killed and started again on the same files and ports.
type Receiver struct {
	// WriteURL takes remote write, QueryURL is the base of Prometheus' API.
	WriteURL, QueryURL string

	bench *Bench
	// commands begin with the one that keeps the samples; running are their processes, nil
	// for one that was killed.
	commands []Command
	health   []string
	running  []*Process
}

// VictoriaMetrics is the single-node server of Debian's package.
func (b *Bench) VictoriaMetrics(ctx context.Context) (*Receiver, error) {
	program, data, ports, err := b.receiverParts(ctx, "victoria-metrics", 1)
	if err != nil {
		return nil, err
	}
	base := "http://127.0.0.1:" + ports[0]
	return b.startReceiver(ctx, &Receiver{
		WriteURL: base + "/api/v1/write", QueryURL: base, health: []string{base + "/health"},
		commands: []Command{{Name: "victoria-metrics", Path: program, Args: []string{
			"-storageDataPath=" + data, "-httpListenAddr=127.0.0.1:" + ports[0],
			"-dedup.minScrapeInterval=1ms", "-search.latencyOffset=1s", "-retentionPeriod=1",
		}}},
	})
}

// Prometheus is the server of Debian's package, as a receiver of remote write.
func (b *Bench) Prometheus(ctx context.Context) (*Receiver, error) {
	program, data, ports, err := b.receiverParts(ctx, "prometheus", 1)
	if err != nil {
		return nil, err
	}
	base := "http://127.0.0.1:" + ports[0]
	return b.startReceiver(ctx, &Receiver{
		WriteURL: base + "/api/v1/write", QueryURL: base, health: []string{base + "/-/ready"},
		commands: []Command{{Name: "prometheus", Path: program, Args: []string{
			"--config.file=/dev/null", "--storage.tsdb.path=" + data,
			"--web.listen-address=127.0.0.1:" + ports[0], "--web.enable-remote-write-receiver",
		}}},
	})
}

// Cluster is a vmstorage, a vminsert and a vmselect from a folder, with a tenant.
func (b *Bench) Cluster(ctx context.Context, bin, tenant string) (*Receiver, error) {
	data, err := b.Folder("vmstorage")
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(ctx, 5)
	if err != nil {
		return nil, err
	}
	at := func(i int) string { return "127.0.0.1:" + ports[i] }
	return b.startReceiver(ctx, &Receiver{
		WriteURL: "http://" + at(3) + "/insert/" + tenant + "/prometheus/api/v1/write",
		QueryURL: "http://" + at(4) + "/select/" + tenant + "/prometheus",
		health:   []string{"http://" + at(0) + "/health", "http://" + at(3) + "/health", "http://" + at(4) + "/health"},
		commands: []Command{
			{Name: "vmstorage", Path: filepath.Join(bin, "vmstorage"), Args: []string{
				"-storageDataPath=" + data, "-httpListenAddr=" + at(0), "-vminsertAddr=" + at(1), "-vmselectAddr=" + at(2),
				"-dedup.minScrapeInterval=1ms", "-retentionPeriod=1",
			}},
			{Name: "vminsert", Path: filepath.Join(bin, "vminsert"), Args: []string{"-httpListenAddr=" + at(3), "-storageNode=" + at(1)}},
			{Name: "vmselect", Path: filepath.Join(bin, "vmselect"), Args: []string{
				"-httpListenAddr=" + at(4), "-storageNode=" + at(2), "-dedup.minScrapeInterval=1ms", "-search.latencyOffset=1s",
			}},
		},
	})
}

// receiverParts finds a program and makes it a folder and ports.
func (b *Bench) receiverParts(ctx context.Context, name string, n int) (program, data string, ports []string, err error) {
	if program, err = exec.LookPath(name); err != nil {
		return "", "", nil, fmt.Errorf("%s is %w: apt-get install %s", name, ErrNoReceiver, name)
	}
	if data, err = b.Folder(name); err != nil {
		return "", "", nil, err
	}
	ports, err = freePorts(ctx, n)
	return program, data, ports, err
}

// freePorts are n different free ports.
func freePorts(ctx context.Context, n int) ([]string, error) {
	seen := map[int]bool{}
	var out []string
	for len(out) < n {
		port, err := FreePort(ctx)
		if err != nil {
			return nil, err
		}
		if !seen[port] {
			seen[port] = true
			out = append(out, strconv.Itoa(port))
		}
	}
	return out, nil
}

func (b *Bench) startReceiver(ctx context.Context, r *Receiver) (*Receiver, error) {
	r.bench = b
	return r, r.Start(ctx)
}

// Start starts the processes that do not run, and waits until all answer.
func (r *Receiver) Start(ctx context.Context) error {
	ctx, cancel := withStartTimeout(ctx)
	defer cancel()
	r.running = append(r.running, make([]*Process, len(r.commands)-len(r.running))...)
	for i, c := range r.commands {
		if r.running[i] != nil {
			continue
		}
		p, err := r.bench.Start(ctx, c)
		if err != nil {
			return err
		}
		r.running[i] = p
	}
	for _, url := range r.health {
		err := Poll(ctx, func() (bool, error) {
			for _, p := range r.running {
				select {
				case <-p.Ended():
					return false, fmt.Errorf("%s ended: %s", p.name, p.Tail())
				default:
				}
			}
			return answers(ctx, url), nil
		})
		if err != nil {
			return fmt.Errorf("%s: %w", url, err)
		}
	}
	return nil
}

// answers tells whether a GET gives 200.
func answers(ctx context.Context, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	return resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
}

// Kill ends the processes by kill -9 and waits for their end.
func (r *Receiver) Kill() { r.kill(len(r.running)) }

// KillStorage is Kill for the process that keeps the samples: a cluster has others.
func (r *Receiver) KillStorage() { r.kill(1) }

// kill ends the first n processes.
func (r *Receiver) kill(n int) {
	for i, p := range r.running[:n] {
		p.killGroup()
		<-p.ended
		r.running[i] = nil
	}
}
