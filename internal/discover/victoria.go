package discover

import (
	"errors"
	"regexp"
	"time"

	"github.com/VictoriaMetrics/VictoriaMetrics/lib/promscrape/discovery/http"
	"github.com/VictoriaMetrics/VictoriaMetrics/lib/promutil"
)

const httpInterval = 30 * time.Second

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

// mapsOf is the form without VictoriaMetrics.
func mapsOf(found []*promutil.Labels) []labels {
	out := make([]labels, 0, len(found))
	for _, l := range found {
		out = append(out, l.ToMap())
	}
	return out
}
