package discover

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
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

// list reads all files.
func (c *FileConfig) list() ([]labels, error) {
	var all []labels
	for _, pattern := range c.Files {
		names, err := filepath.Glob(pattern)
		if err != nil {
			return nil, err
		}
		if len(names) > maxFiles {
			return nil, fmt.Errorf("%s matches %d files, more than %d", pattern, len(names), maxFiles)
		}
		for _, name := range names {
			found, err := readTargets(name)
			if err != nil {
				return nil, err
			}
			all = append(all, found...)
		}
	}
	return all, nil
}

// targetGroup is an entry of a file.
type targetGroup struct {
	Targets []string          `yaml:"targets"`
	Labels  map[string]string `yaml:"labels"`
}

// readTargets reads one file. JSON is YAML.
func readTargets(name string) ([]labels, error) {
	f, err := os.Open(filepath.Clean(name))
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
	var all []labels
	for _, g := range groups {
		for _, target := range g.Targets {
			l := labels{"__meta_filepath": name}
			for k, v := range g.Labels {
				l[k] = v
			}
			l["__address__"] = target
			all = append(all, l)
		}
	}
	return all, nil
}
