package discover

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/VictoriaMetrics/VictoriaMetrics/lib/promscrape/discovery/kubernetes"
	"github.com/VictoriaMetrics/VictoriaMetrics/lib/promutil"
	"github.com/goccy/go-yaml"

	"github.com/apm-sidecar/apm-sidecar/internal/vmlog"
)

const (
	// kubernetesInterval is the pace of looks at a list in memory, which a watch
	// keeps up to date.
	kubernetesInterval = time.Second
	// kubernetesCode logs what goes wrong with the watch, and tells it nowhere else.
	kubernetesCode = "lib/promscrape/discovery/kubernetes/"
	// faultAge is how long a fault is taken to last: longer than the pauses between two
	// attempts, which grow to half a minute.
	faultAge = 45 * time.Second
	// maxFaultBytes bounds a fault's text: the answer of the server is in it.
	maxFaultBytes = 500
)

// kubernetesFault is what stands against a source. An address that is none would end the
// process: the package panics where it can't build a request.
func kubernetesFault(c *kubernetes.SDConfig) error {
	roles := []string{"pod", "service", "endpoints", "endpointslice", "node", "ingress"}
	if !slices.Contains(roles, c.Role) {
		return fmt.Errorf("role %q: write one of %s", c.Role, strings.Join(roles, ", "))
	}
	if c.APIServer != "" && !isURL(withScheme(c.APIServer)) {
		return errors.New("api_server is no http or https URL")
	}
	if c.KubeConfigFile != "" {
		if err := kubeConfigFault(c.KubeConfigFile); err != nil {
			return fmt.Errorf("kubeconfig_file: %w", err)
		}
	}
	for _, name := range c.Namespaces.Names {
		if _, err := url.Parse("/namespaces/" + name + "/pods"); err != nil {
			return fmt.Errorf("namespaces: %q is no name", name)
		}
	}
	return nil
}

// withScheme is a server's address as the package completes it, but that it may take http.
func withScheme(server string) string {
	if strings.Contains(server, "://") {
		return server
	}
	return "https://" + server
}

// kubeConfigFault is what stands against the servers in a file of kubectl's. One that cannot be
// read is told of by the package itself.
func kubeConfigFault(file string) error {
	if info, err := os.Stat(file); err != nil || !info.Mode().IsRegular() || info.Size() > maxFileBytes {
		return nil //nolint:nilerr // as above: it may be there later
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil //nolint:nilerr // as above
	}
	var content struct {
		Clusters []struct {
			Name    string
			Cluster struct{ Server string }
		}
	}
	if err := yaml.Unmarshal(text, &content); err != nil {
		return nil //nolint:nilerr // as above
	}
	for _, c := range content.Clusters {
		if !isURL(withScheme(c.Cluster.Server)) {
			return fmt.Errorf("the server of cluster %q in %s is no http or https URL", c.Name, file)
		}
	}
	return nil
}

// objectsAsked are the kinds of objects, as paths name them, that a source asks for.
func objectsAsked(c *kubernetes.SDConfig) []string {
	asks := map[string][]string{
		"pod": {"pods"}, "service": {"services"}, "node": {"nodes"}, "ingress": {"ingresses"},
		"endpoints": {"endpoints", "pods", "services"}, "endpointslice": {"endpointslices", "pods", "services"},
	}[c.Role]
	if more := c.AttachMetadata; more != nil {
		if more.Node {
			asks = append(asks, "nodes")
		}
		if more.Namespace {
			asks = append(asks, "namespaces")
		}
	}
	return asks
}

// kubernetesSource watches the objects of a cluster.
func kubernetesSource(c *kubernetes.SDConfig) source {
	heard := &faults{of: c.APIServer, asks: objectsAsked(c)}
	deaf := func() {}
	return source{
		kind: "kubernetes", interval: kubernetesInterval, fault: heard.take,
		begin: func() {
			deaf = vmlog.Listen(kubernetesCode, heard.note)
			// The labels go back to a pool after the call, and the result must be a
			// pointer.
			c.MustStart(".", func(l *promutil.Labels) any { return l.Clone() })
		},
		stop: func() {
			c.MustStop()
			deaf()
		},
		list: func(context.Context) ([]labels, error) {
			objects, err := c.GetScrapeWorkObjects()
			if err != nil {
				return nil, err
			}
			found := make([]*promutil.Labels, 0, len(objects))
			for _, o := range objects {
				found = append(found, o.(*promutil.Labels))
			}
			return mapsOf(found), nil
		},
	}
}

// faults are what the watch has logged.
type faults struct {
	// of is in the text of those that matter: the server's address, empty for all. asks are
	// the objects whose faults matter.
	of   string
	asks []string

	mu    sync.Mutex
	last  string
	at    time.Time
	fresh int
}

// objectsInURL finds the kind of objects in the address of a list or a watch.
var objectsInURL = regexp.MustCompile(`/([a-z]+)\?[a-zA-Z]+=`)

// note takes a line of the log.
func (f *faults) note(text string) {
	if !strings.Contains(text, strings.TrimRight(f.of, "/")) {
		return
	}
	if m := objectsInURL.FindStringSubmatch(text); m != nil && !slices.Contains(f.asks, m[1]) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last, f.at = text[:min(len(text), maxFaultBytes)], time.Now()
	f.fresh++
}

// take tells how many faults there were since it was asked, and the last one if it lasts.
func (f *faults) take() (fresh int, _ error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fresh = f.fresh
	f.fresh = 0
	if f.last == "" || time.Since(f.at) > faultAge {
		return fresh, nil
	}
	return fresh, errors.New(f.last)
}

// mapsOf is the form without VictoriaMetrics.
func mapsOf(found []*promutil.Labels) []labels {
	out := make([]labels, 0, len(found))
	for _, l := range found {
		out = append(out, l.ToMap())
	}
	return out
}
