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

// Reloaded is what a running sidecar makes of next: what it cannot take over stays as it
// is in c, and is named where it differs. Who may see the pages stays with the address:
// what guards one need not guard another.
func (c Config) Reloaded(next Config) (taken Config, needRestart []string) {
	taken = next
	old, now := reflect.ValueOf(c), reflect.ValueOf(&taken).Elem()
	for i := range old.NumField() {
		name := old.Type().Field(i).Tag.Get("yaml")
		switch name {
		case "listen", "data_dir", "retention", "store":
		case "web":
			if c.Listen == next.Listen {
				continue
			}
		default:
			continue
		}
		if !reflect.DeepEqual(old.Field(i).Interface(), now.Field(i).Interface()) {
			needRestart = append(needRestart, name)
			now.Field(i).Set(old.Field(i))
		}
	}
	return taken, needRestart
}
