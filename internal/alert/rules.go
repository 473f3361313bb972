package alert

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/VictoriaMetrics/VictoriaMetrics/app/vmalert/config"
	"github.com/VictoriaMetrics/VictoriaMetrics/app/vmalert/notifier"
	"github.com/VictoriaMetrics/VictoriaMetrics/lib/promutil"
	"gopkg.in/yaml.v2"

	"github.com/apm-sidecar/apm-sidecar/dashboards"
)

// The bounds of what rules may be.
const (
	maxRuleFiles     = 1000
	maxRuleFileBytes = 1 << 20
	maxRules         = 10_000
	// maxAlertsPerRule is the limit of groups that give none: a rule with more
	// results is an error, and has none.
	maxAlertsPerRule = 1000
)

// keptFor is the keep_firing_for of the product's rules on what JVMs say. That ends when a JVM
// dies, and some of it takes minutes to be known again after a restart of the sidecar: neither is
// an end of the trouble. It is not in their files, which older versions of vmalert would refuse.
const keptFor = 6 * time.Minute

// ruleFile is a file of rules as it was read; own says that it is the product's.
type ruleFile struct {
	name string
	text []byte
	own  bool
}

// readRules reads the files: those of the product unless own is false, then paths,
// each a file, a folder (its *.yml and *.yaml) or a pattern.
func readRules(own bool, paths []string) ([]ruleFile, error) {
	var files []ruleFile
	if own {
		names, err := fs.Glob(dashboards.Alerts, "alerts/*.yml")
		if err != nil {
			return nil, fmt.Errorf("alert: %w", err)
		}
		for _, name := range names {
			text, err := fs.ReadFile(dashboards.Alerts, name)
			if err != nil {
				return nil, fmt.Errorf("alert: %w", err)
			}
			files = append(files, ruleFile{name, text, true})
		}
	}
	for _, path := range paths {
		names, err := expand(path)
		if err != nil {
			return nil, fmt.Errorf("alert: rules %s: %w", path, err)
		}
		for _, name := range names {
			if len(files) == maxRuleFiles {
				return nil, fmt.Errorf("alert: more than %d files of rules", maxRuleFiles)
			}
			text, err := readBounded(name)
			if err != nil {
				return nil, fmt.Errorf("alert: rules: %w", err)
			}
			files = append(files, ruleFile{name, text, false})
		}
	}
	return files, nil
}

// expand lists the files that path stands for. A file that is named and missing is
// an error, a pattern or folder without files is not.
func expand(path string) ([]string, error) {
	info, err := os.Stat(path)
	switch {
	case err == nil && !info.IsDir():
		return []string{path}, nil
	case err == nil:
		yml, _ := fs.Glob(os.DirFS(path), "*.yml") // the folder's own name is no pattern
		yaml, _ := fs.Glob(os.DirFS(path), "*.yaml")
		names := append(yml, yaml...)
		for i, name := range names {
			names[i] = filepath.Join(path, name)
		}
		return slices.Sorted(slices.Values(names)), nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	names, globErr := filepath.Glob(path)
	if globErr != nil {
		return nil, globErr
	}
	if len(names) == 0 && !bytes.ContainsAny([]byte(path), "*?[") {
		return nil, err
	}
	return names, nil
}

func readBounded(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxRuleFileBytes+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxRuleFileBytes {
		return nil, fmt.Errorf("%s is longer than %d bytes", name, maxRuleFileBytes)
	}
	return text, nil
}

// parseRules turns files into groups and joins all faults; each names its file,
// group and rule. Each group has one rule: so an error is known to be that rule's.
func parseRules(files []ruleFile) ([]config.Group, error) {
	var groups []config.Group
	var errs []error
	rules := 0
	for _, file := range files {
		var content struct {
			Groups []config.Group `yaml:"groups"`
		}
		if err := yaml.UnmarshalStrict(file.text, &content); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", file.name, err))
			continue
		}
		seen := map[string]bool{}
		for _, g := range content.Groups {
			if err := checkGroup(&g, seen); err != nil {
				errs = append(errs, fmt.Errorf("%s: group %q: %w", file.name, g.Name, err))
				continue
			}
			g.File = file.name
			rules += len(g.Rules)
			for _, r := range g.Rules {
				if file.own && r.KeepFiringFor == nil && ofJVMs(r) {
					r.KeepFiringFor = promutil.NewDuration(keptFor)
				}
				one := g
				one.Rules = []config.Rule{r}
				groups = append(groups, one)
			}
		}
	}
	if rules > maxRules {
		errs = append(errs, fmt.Errorf("%d rules are more than %d", rules, maxRules))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("alert: %w", err)
	}
	return groups, nil
}

// ofJVMs tells an alert on what JVMs say from one on what the sidecar says of itself and of
// who answers.
func ofJVMs(r config.Rule) bool { return r.Alert != "" && !strings.Contains(r.Expr, "apm_sidecar_") }

// checkGroup validates a group and fills in what it leaves open.
func checkGroup(g *config.Group, seen map[string]bool) error {
	if seen[g.Name] {
		return errors.New("is there twice")
	}
	seen[g.Name] = true
	if err := g.Validate(notifier.ValidateTemplates, true); err != nil {
		return err
	}
	if t := g.Type.Get(); t != "prometheus" {
		return fmt.Errorf("type %q: there are only metrics here (prometheus)", t)
	}
	// vmalert evaluates a group's rules at once where the group says so. A group of one
	// rule has nothing to gain.
	g.Concurrency = 1
	if g.Limit == nil {
		limit := maxAlertsPerRule
		g.Limit = &limit
	}
	if !g.Params.Has("step") {
		// How far back a series may have its last sample, as vmalert has it.
		if g.Params == nil {
			g.Params = map[string][]string{}
		}
		g.Params.Set("step", "300s")
	}
	return nil
}
