package config

import (
	"bytes"
	"reflect"

	"github.com/goccy/go-yaml"
)

// SameDiscovery tells whether targets are found in the same way.
func (c Config) SameDiscovery(other Config) bool {
	a, errA := yaml.Marshal(c.Discovery)
	b, errB := yaml.Marshal(other.Discovery)
	return errA == nil && errB == nil && bytes.Equal(a, b)
}

// NeedsRestart names the fields of the file in which next differs from c and that a
// running sidecar does not take over.
func (c Config) NeedsRestart(next Config) []string {
	var names []string
	old, now := reflect.ValueOf(c), reflect.ValueOf(next)
	for i := range old.NumField() {
		name := old.Type().Field(i).Tag.Get("yaml")
		switch name {
		case "targets", "discovery", "shard", "interval":
			continue
		}
		if !reflect.DeepEqual(old.Field(i).Interface(), now.Field(i).Interface()) {
			names = append(names, name)
		}
	}
	return names
}
