package alert

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// folder holds files of rules by name.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return dir
}

func TestOwnRulesAreValid(t *testing.T) {
	n, err := Check(true, nil)
	require.NoError(t, err)
	assert.Greater(t, n, 15)
}

// TestOwnAlertsOnJVMsStay for a while, by our word alone: Debian 12's vmalert, among others, refuses
// files with keep_firing_for.
func TestOwnAlertsOnJVMsStay(t *testing.T) {
	files, err := readRules(true, nil)
	require.NoError(t, err)
	groups, err := parseRules(files)
	require.NoError(t, err)
	kept := map[string]bool{}
	for _, g := range groups {
		r := g.Rules[0]
		if kept[r.Alert] = r.KeepFiringFor != nil; kept[r.Alert] {
			assert.Equal(t, keptFor, r.KeepFiringFor.Duration(), r.Alert)
		}
	}
	for name, want := range map[string]bool{
		"OldRegionNearlyFull": true, "FinalizerThreadStuck": true, "GCPressure": true, "TransactionsPileUp": true,
		"TargetDown": false, "HostDown": false, "SamplesDropped": false, "ConfigurationRefused": false,
	} {
		assert.Equal(t, want, kept[name], name)
	}
	for _, f := range files {
		assert.NotContains(t, string(f.text), "keep_firing_for", f.name)
	}
	other, err := parseRules([]ruleFile{{name: "theirs.yml", text: files[0].text}})
	require.NoError(t, err)
	assert.Nil(t, other[0].Rules[0].KeepFiringFor, "rules of others mean what they say")
}

func TestRulesAreFound(t *testing.T) {
	group := func(name string) string {
		return "groups: [{name: " + name + ", rules: [{alert: A, expr: up == 0}, {record: b, expr: sum(up)}]}]"
	}
	dir := folder(t, map[string]string{"a.yml": group("one"), "b.yaml": group("two"), "c.txt": "not: rules"})
	for _, path := range []string{dir, filepath.Join(dir, "*.y*ml")} {
		n, err := Check(false, []string{path})
		require.NoError(t, err, path)
		assert.Equal(t, 4, n, path)
	}
	n, err := Check(false, []string{filepath.Join(dir, "a.yml"), filepath.Join(dir, "none*.yml")})
	require.NoError(t, err)
	assert.Equal(t, 2, n)
	brackets := filepath.Join(t.TempDir(), "rules [shop]")
	require.NoError(t, os.Rename(dir, brackets))
	n, err = Check(false, []string{brackets})
	require.NoError(t, err)
	assert.Equal(t, 4, n, "no pattern, but a folder")
}

func TestFaultyRulesAreRefused(t *testing.T) {
	rules := func(text string) string { return "groups: [{name: g, rules: [" + text + "]}]" }
	for name, c := range map[string]struct{ text, want string }{
		"no YAML":         {"groups: [", "rules.yml: yaml: line 1"},
		"unknown key":     {"group: []", "field group not found"},
		"unknown in rule": {rules("{alert: A, expr: up, fro: 1m}"), "fro"},
		"no expression":   {rules("{alert: A}"), "expression can't be empty"},
		"bad expression":  {rules("{alert: A, expr: 'sum(up'}"), "group \"g\": invalid expression"},
		"bad template":    {rules("{alert: A, expr: up, annotations: {summary: '{{ nosuch }}'}}"), "nosuch"},
		"twice":           {"groups: [{name: g, rules: []}, {name: g, rules: []}]", `group "g": is there twice`},
		"other type":      {"groups: [{name: g, type: graphite, rules: [{alert: A, expr: up}]}]", "only metrics"},
		"logs":            {"groups: [{name: g, type: vlogs, rules: [{alert: A, expr: '* | stats count() c'}]}]", "only metrics"},
		"too long":        {strings.Repeat("# \n", maxRuleFileBytes), "longer than"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t, map[string]string{"rules.yml": c.text})
			_, err := Check(false, []string{dir})
			assert.ErrorContains(t, err, c.want)
		})
	}
	_, err := Check(false, []string{"/nowhere/rules.yml"})
	assert.ErrorContains(t, err, "no such file")
}
