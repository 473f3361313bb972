package discover

import (
	"fmt"
	"strings"

	"github.com/VictoriaMetrics/VictoriaMetrics/lib/promrelabel"
	"github.com/VictoriaMetrics/VictoriaMetrics/lib/promutil"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// target makes a target of what a source says, after relabelling; false where that
// drops it. The special labels are those of Prometheus: __address__ (host:port, or
// a whole URL), __scheme__ (http if absent) and __metrics_path__ (/jolokia/ if
// absent).
func (j *Job) target(found labels, relabel *promrelabel.ParsedConfigs) (jvm.Target, bool, error) {
	l := promutil.NewLabelsFromMap(found)
	if l.Get("job") == "" {
		l.Set("job", j.Name)
	}
	out := promutil.NewLabels(l.Len())
	out.Labels = relabel.Apply(l.GetLabels(), 0)
	address := out.Get("__address__")
	if address == "" {
		return jvm.Target{}, false, nil
	}
	t, err := jvm.ParseTarget(urlOf(address, out.Get("__scheme__"), out.Get("__metrics_path__")))
	if err != nil {
		return jvm.Target{}, false, fmt.Errorf("%q: %w", address[strings.LastIndexByte(address, '@')+1:], err) // without a password
	}
	if t.Credentials.Username == "" {
		t.Credentials = j.credentials()
	}
	t.TLS = j.TLS
	t.Labels = map[string]string{}
	for _, label := range out.GetLabels() {
		switch {
		case strings.HasPrefix(label.Name, "__") || label.Value == "":
		case label.Name == "job":
			t.Job = strings.Clone(label.Value)
		default:
			if label.Name == "instance" {
				t.Instance = strings.Clone(label.Value)
			}
			t.Labels[strings.Clone(label.Name)] = strings.Clone(label.Value)
		}
	}
	return t, true, nil
}

// urlOf puts the parts together.
func urlOf(address, scheme, path string) string {
	if strings.Contains(address, "://") {
		return address
	}
	if scheme == "" {
		scheme = "http"
	}
	if path == "" {
		path = "/jolokia/"
	}
	return scheme + "://" + address + path
}
