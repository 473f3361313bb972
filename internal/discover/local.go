package discover

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/attach"
)

const (
	localInterval = 10 * time.Second
	localTimeout  = 10 * time.Second
)

// localSource asks this host for its JVMs, and remembers what they said.
func localSource() source {
	var finder attach.Finder
	return source{kind: "local", interval: localInterval, list: func(ctx context.Context) ([]labels, error) {
		found, err := listLocal(ctx, &finder)
		if err == nil && len(found) == 0 && finder.Others > 0 {
			err = fmt.Errorf("the JVMs of this host (%d) are other users': run apm-sidecar as their user or as root", finder.Others)
		}
		return found, err
	}}
}

// LocalConfig asks for the JVMs of this host that have a Jolokia agent. It has no
// settings.
type LocalConfig struct{}

// listLocal finds them. The instance is the agent's address; the process id changes
// with each start and is for relabelling only.
func listLocal(ctx context.Context, finder *attach.Finder) ([]labels, error) {
	ctx, cancel := context.WithTimeout(ctx, localTimeout)
	defer cancel()
	jvms, err := finder.Find(ctx)
	if err != nil {
		return nil, err
	}
	var all []labels
	for _, j := range jvms {
		if j.JolokiaURL != "" {
			all = append(all, localLabels(j))
		}
	}
	return all, nil
}

// localLabels are those of one JVM.
func localLabels(j attach.JVM) labels {
	l := labels{
		"__address__":           j.JolokiaURL,
		"__meta_local_pid":      strconv.Itoa(j.PID),
		"__meta_local_main":     j.Main,
		"__meta_local_main_jar": strings.TrimSuffix(filepath.Base(j.Main), ".jar"),
	}
	for name, value := range j.Properties {
		l["__meta_local_property_"+strings.Map(labelRune, name)] = value
	}
	return l
}

// labelRune is the rune, or what stands for it in a label's name.
func labelRune(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
		return r
	}
	return '_'
}
