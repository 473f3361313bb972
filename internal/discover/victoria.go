package discover

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/VictoriaMetrics/VictoriaMetrics/lib/promscrape/discovery/http"
	"github.com/VictoriaMetrics/VictoriaMetrics/lib/promscrape/discovery/kubernetes"
	"github.com/VictoriaMetrics/VictoriaMetrics/lib/promutil"
)

const (
	httpInterval = 30 * time.Second
	// kubernetesInterval is the pace of looks at a list in memory, which a watch
	// keeps up to date.
	kubernetesInterval = time.Second
)

// urlQuery finds queries of URLs in a text: they may be secret.
var urlQuery = regexp.MustCompile(`(://[^\s?"]*)\?[^\s"\\]*`)

// HTTPConfig names a server that lists targets.
type HTTPConfig struct {
	http.SDConfig `yaml:",inline"`
	Refresh       Refresh `yaml:"refresh_interval"`
}

func (c *HTTPConfig) validate() error {
	if c.URL == "" {
		return errors.New("url is missing")
	}
	return c.Refresh.validate()
}

// httpSource asks a server for targets.
func httpSource(c *HTTPConfig) source {
	return source{
		kind: "http", interval: c.Refresh.or(httpInterval), stop: c.MustStop,
		list: func() ([]labels, error) {
			found, err := c.GetLabels(".")
			if err != nil {
				return nil, errors.New(urlQuery.ReplaceAllString(err.Error(), "$1?masked"))
			}
			return mapsOf(found), nil
		},
	}
}

// roleFault is what stands against a role of Kubernetes discovery.
func roleFault(role string) error {
	roles := []string{"pod", "service", "endpoints", "endpointslice", "node", "ingress"}
	if slices.Contains(roles, role) {
		return nil
	}
	return fmt.Errorf("role %q: write one of %s", role, strings.Join(roles, ", "))
}

// kubernetesSource watches the objects of a cluster.
func kubernetesSource(c *kubernetes.SDConfig) source {
	return source{
		kind: "kubernetes", interval: kubernetesInterval, stop: c.MustStop,
		begin: func() {
			// The labels go back to a pool after the call, and the result must be a
			// pointer.
			c.MustStart(".", func(l *promutil.Labels) any { return l.Clone() })
		},
		list: func() ([]labels, error) {
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

// mapsOf is the form without VictoriaMetrics.
func mapsOf(found []*promutil.Labels) []labels {
	out := make([]labels, 0, len(found))
	for _, l := range found {
		out = append(out, l.ToMap())
	}
	return out
}
