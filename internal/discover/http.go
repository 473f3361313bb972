package discover

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"time"

	"github.com/VictoriaMetrics/VictoriaMetrics/lib/promauth"
	vmhttp "github.com/VictoriaMetrics/VictoriaMetrics/lib/promscrape/discovery/http"
)

const (
	httpInterval = 30 * time.Second
	httpTimeout  = time.Minute
	// maxAnswerBytes bounds an answer, inflated: a hundred thousand targets.
	maxAnswerBytes = 16 << 20
	// maxShownBytes is how much of an answer without targets is shown.
	maxShownBytes = 300
)

// urlUser and urlQuery find users with their passwords and queries of URLs in a text: they
// may be secret.
var (
	urlUser  = regexp.MustCompile(`://[^\s"]*@`) // whoever has a slash in a password may have forgotten to escape it
	urlQuery = regexp.MustCompile(`(://[^\s?"]*)\?[^\s"\\]*`)
)

// masked is a text without what may be secret in its URLs.
func masked(text string) string {
	return urlQuery.ReplaceAllString(urlUser.ReplaceAllString(text, "://masked@"), "$1?masked")
}

// isURL tells whether a text is a URL that can be asked. A parser's error would show parts of it.
func isURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// HTTPConfig names a server that lists targets: its settings are VictoriaMetrics', who
// would read an answer of any length.
type HTTPConfig struct {
	vmhttp.SDConfig `yaml:",inline"`
	Refresh         Refresh `yaml:"refresh_interval"`
}

func (c *HTTPConfig) validate() error {
	if c.URL == "" {
		return errors.New("url is missing")
	}
	if !isURL(c.URL) {
		return errors.New("url is no http or https URL")
	}
	return c.Refresh.validate()
}

// httpSource asks a server for targets.
func httpSource(c *HTTPConfig) source {
	var lister *httpLister
	return source{
		kind: "http", interval: c.Refresh.or(httpInterval),
		list: func(ctx context.Context) (found []labels, err error) {
			if lister == nil {
				if lister, err = newHTTPLister(c); err != nil {
					return nil, err
				}
			}
			if found, err = lister.list(ctx); err != nil {
				lister = nil // its secrets are read again by the time of day, which may have been set back
				return nil, errors.New(masked(err.Error()))
			}
			return found, nil
		},
	}
}

// httpLister asks a server.
type httpLister struct {
	config            *HTTPConfig
	client            *http.Client
	headers, forProxy *promauth.Config
}

func newHTTPLister(c *HTTPConfig) (*httpLister, error) {
	headers, err := c.HTTPClientConfig.NewConfig(".")
	if err != nil {
		return nil, err
	}
	forProxy, err := c.ProxyClientConfig.NewConfig(".")
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	transport := &http.Transport{TLSHandshakeTimeout: httpTimeout, MaxIdleConns: 1, IdleConnTimeout: 2 * c.Refresh.or(httpInterval)}
	if proxy := c.ProxyURL.GetURL(); proxy != nil {
		transport.Proxy = http.ProxyURL(proxy)
	}
	client := &http.Client{Timeout: httpTimeout, Transport: headers.NewRoundTripper(transport)}
	if follow := c.HTTPClientConfig.FollowRedirects; follow != nil && !*follow {
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	return &httpLister{config: c, client: client, headers: headers, forProxy: forProxy}, nil
}

// list asks once.
func (l *httpLister) list(ctx context.Context) ([]labels, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.config.URL, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("X-Prometheus-Refresh-Interval-Seconds", strconv.Itoa(int(l.config.Refresh.or(httpInterval).Seconds())))
	if err := l.headers.SetHeaders(req, true); err != nil {
		return nil, err
	}
	if err := l.config.ProxyURL.SetHeaders(l.forProxy, req); err != nil {
		return nil, err
	}
	resp, err := l.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	limit := int64(maxAnswerBytes)
	if resp.StatusCode != http.StatusOK {
		limit = maxShownBytes - 1
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	switch {
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s answered status %d: %q", l.config.URL, resp.StatusCode, answer)
	case err != nil:
		return nil, fmt.Errorf("answer of %s: %w", l.config.URL, err)
	case int64(len(answer)) > limit:
		return nil, fmt.Errorf("the answer of %s is longer than %d bytes", l.config.URL, limit)
	}
	var groups []targetGroup
	if err := json.Unmarshal(answer, &groups); err != nil {
		return nil, fmt.Errorf("the answer of %s is no list of targets: %w", l.config.URL, err)
	}
	return flatten(groups, "__meta_url", l.config.URL), nil
}
