package discover

import (
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
	r := fileReader{patterns: c.Files}
	return source{
		kind: "file", interval: c.Refresh.or(fileInterval),
		list: func(context.Context) ([]labels, error) { return r.read(), nil },
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
	last     map[string][]labels
	// fault is what went wrong at the last reading.
	fault error
}

// read reads all files.
func (r *fileReader) read() []labels {
	now := map[string][]labels{}
	r.fault = nil
	var all []labels
	for _, pattern := range r.patterns {
		names, err := filesOf(pattern)
		if err != nil {
			r.fault = err
			names = r.known(pattern)
		}
		for _, name := range names {
			found, err := readTargets(name)
			if err != nil {
				r.fault, found = err, r.last[name]
			}
			now[name] = found
			all = append(all, found...)
		}
	}
	r.last = now
	return all
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

// readTargets reads one file. JSON is YAML.
func readTargets(name string) ([]labels, error) {
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
	content, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, err
	}
	if len(content) > maxFileBytes {
		return nil, fmt.Errorf("%s is longer than %d bytes", name, maxFileBytes)
	}
	var groups []targetGroup
	if err := yaml.UnmarshalWithOptions(content, &groups, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("%s: %s", name, yaml.FormatError(err, false, false))
	}
	return flatten(groups, "__meta_filepath", name), nil
}
