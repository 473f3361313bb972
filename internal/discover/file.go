package discover

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
)

const (
	fileInterval = 5 * time.Second
	// settleTime is how long a file that changes has to stay the same, or the time between two
	// readings where that is shorter.
	settleTime = 5 * time.Second
	// maxFileBytes and maxFiles bound what is read.
	maxFileBytes = 16 << 20
	maxFiles     = 1000
)

// FileConfig names files with targets, YAML or JSON as Prometheus knows them:
// a list of {targets: [host:port or URL], labels: {...}}.
type FileConfig struct {
	// Files are patterns of names.
	Files   []string `yaml:"files"`
	Refresh Refresh  `yaml:"refresh_interval"`
}

func (c *FileConfig) validate() error {
	if len(c.Files) == 0 {
		return errors.New("files is empty")
	}
	for _, pattern := range c.Files {
		if _, err := filepath.Match(pattern, ""); err != nil {
			return fmt.Errorf("files: %q: %w", pattern, err)
		}
	}
	return c.Refresh.validate()
}

// fileSource reads files. One that cannot be read keeps what it said last, and holds up no
// other.
func fileSource(c *FileConfig) source {
	interval := c.Refresh.or(fileInterval)
	r := fileReader{patterns: c.Files, settle: min(settleTime, interval)}
	return source{
		kind: "file", interval: interval,
		list: func(ctx context.Context) ([]labels, error) { return r.read(ctx), nil },
		fault: func() (int, error) {
			if r.fault == nil {
				return 0, nil
			}
			return 1, r.fault
		},
	}
}

// fileReader knows what files said.
type fileReader struct {
	patterns []string
	// settle is how long a file that changes has to stay the same.
	settle time.Duration
	// taken is what the files had at the last reading, last their targets.
	taken map[string]content
	last  map[string][]labels
	// fault is what went wrong at the last reading.
	fault error
}

// content is that of a file, or why it cannot be read.
type content struct {
	text []byte
	err  error
}

// same says whether two contents are the same, or neither could be read.
func (c content) same(other content) bool {
	return bytes.Equal(c.text, other.text) && (c.err == nil) == (other.err == nil)
}

// read reads all files. What has changed is looked at twice: half of a file may be a list of
// targets, too.
func (r *fileReader) read(ctx context.Context) []labels {
	now := r.look()
	if r.taken != nil && !maps.EqualFunc(now, r.taken, content.same) {
		wait := time.NewTimer(r.settle)
		defer wait.Stop()
		select {
		case <-ctx.Done():
		case <-wait.C:
			now = r.settled(now, r.look())
		}
	}
	targets := map[string][]labels{}
	var all []labels
	for _, name := range slices.Sorted(maps.Keys(now)) {
		found, err := now[name].targets(name)
		if err != nil {
			r.fault, found = err, r.last[name]
		}
		targets[name] = found
		all = append(all, found...)
	}
	r.taken, r.last = now, targets
	return all
}

// look reads the files of the moment.
func (r *fileReader) look() map[string]content {
	now := map[string]content{}
	r.fault = nil
	for _, pattern := range r.patterns {
		names, err := filesOf(pattern)
		if err != nil {
			r.fault = err
			names = r.known(pattern)
		}
		for _, name := range names {
			text, err := readFile(name)
			now[name] = content{text, err}
		}
	}
	return now
}

// settled is what files have that have had it at the look before, too, and of others what was
// taken.
func (r *fileReader) settled(before, now map[string]content) map[string]content {
	out := map[string]content{}
	for name, c := range now {
		if b, ok := before[name]; ok && b.same(c) {
			out[name] = c
		}
	}
	for name, c := range r.taken {
		_, had := before[name]
		_, has := now[name]
		if _, ok := out[name]; !ok && (had || has) {
			out[name] = c
		}
	}
	return out
}

// known are the files of a pattern that were read before, sorted.
func (r *fileReader) known(pattern string) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(r.last)) {
		if ok, err := filepath.Match(pattern, name); ok && err == nil {
			names = append(names, name)
		}
	}
	return names
}

// magic are the characters that make a pattern of a name.
const magic = `*?[\`

// filesOf are the files of a pattern. A plain name has to be there, and the folder of a
// pattern, too: filepath.Glob finds nothing in one that cannot be read.
func filesOf(pattern string) ([]string, error) {
	if !strings.ContainsAny(pattern, magic) {
		return []string{pattern}, nil
	}
	if folder := filepath.Dir(pattern); !strings.ContainsAny(folder, magic) {
		if _, err := os.ReadDir(folder); err != nil {
			return nil, err
		}
	}
	names, err := filepath.Glob(pattern)
	if len(names) > maxFiles {
		return nil, fmt.Errorf("%s matches %d files, more than %d", pattern, len(names), maxFiles)
	}
	return names, err
}

// targetGroup is an entry of a file or of an answer over HTTP.
type targetGroup struct {
	Targets []string          `yaml:"targets" json:"targets"`
	Labels  map[string]string `yaml:"labels" json:"labels"`
}

// flatten lists the targets with their labels, and where they come from under the name meta.
func flatten(groups []targetGroup, meta, origin string) []labels {
	var all []labels
	for _, g := range groups {
		for _, target := range g.Targets {
			l := labels{meta: origin}
			maps.Copy(l, g.Labels)
			l["__address__"] = target
			all = append(all, l)
		}
	}
	return all
}

// readFile reads a file of a bounded length.
func readFile(name string) ([]byte, error) {
	name = filepath.Clean(name)
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // a pipe would be waited for without end
		return nil, fmt.Errorf("%s is no file", name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxFileBytes {
		return nil, fmt.Errorf("%s is longer than %d bytes", name, maxFileBytes)
	}
	return text, nil
}

// targets are those of the content of a file. JSON is YAML.
func (c content) targets(name string) ([]labels, error) {
	if c.err != nil {
		return nil, c.err
	}
	var groups []targetGroup
	if err := yaml.UnmarshalWithOptions(c.text, &groups, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("%s: %s", name, yaml.FormatError(err, false, false))
	}
	return flatten(groups, "__meta_filepath", filepath.Clean(name)), nil
}
