package config

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// Alerting steers the rules that are evaluated on the embedded store, and who is told
// what they find.
type Alerting struct {
	// Enabled evaluates rules. Without an embedded store there is nothing to ask.
	Enabled bool `yaml:"enabled"`
	// BuiltinRules are those that come with the program; Rules are more: files, folders
	// or patterns.
	BuiltinRules bool     `yaml:"builtin_rules"`
	Rules        []string `yaml:"rules"`
	// Interval is that of groups of rules that give none.
	Interval Duration `yaml:"interval"`
	// ExternalURL is where people reach the sidecar's pages, for links; what it listens on
	// if empty.
	ExternalURL string `yaml:"external_url"`
	// GroupBy and the times say how webhooks are told: alerts with the same values of
	// these labels in one message.
	GroupBy        []string `yaml:"group_by"`
	GroupWait      Duration `yaml:"group_wait"`
	GroupInterval  Duration `yaml:"group_interval"`
	RepeatInterval Duration `yaml:"repeat_interval"`
	// Notifiers are told.
	Notifiers []Notifier `yaml:"notifiers"`
}

// Notifier is one receiver of alerts.
type Notifier struct {
	// Type is alertmanager or webhook.
	Type string `yaml:"type"`
	// Name tells it from others; scheme and host of the URL if empty.
	Name string `yaml:"name"`
	// URL is where to post, of an Alertmanager where its pages begin. URLFile holds it
	// instead where it is a secret; the file is read each time.
	URL             string            `yaml:"url"`
	URLFile         string            `yaml:"url_file"`
	BasicAuth       BasicAuth         `yaml:"basic_auth"`
	BearerTokenFile string            `yaml:"bearer_token_file"`
	TLS             jvm.TLS           `yaml:"tls_config"`
	Headers         map[string]string `yaml:"headers"`
	// Timeout bounds one request.
	Timeout Duration `yaml:"timeout"`
}

func defaultAlerting() Alerting {
	return Alerting{
		Enabled: true, BuiltinRules: true, Interval: Duration(30 * time.Second),
		GroupBy:   []string{"job", "instance"},
		GroupWait: Duration(30 * time.Second), GroupInterval: Duration(5 * time.Minute), RepeatInterval: Duration(4 * time.Hour),
	}
}

// Label is the name under which logs and pages show the receiver.
func (n Notifier) Label() string {
	if n.Name != "" {
		return n.Name
	}
	u, err := url.Parse(n.URL)
	if err != nil || u.Host == "" {
		return n.Type
	}
	return u.Scheme + "://" + u.Host
}

// faults is what stands against the settings.
func (a Alerting) faults() []error {
	if !a.Enabled {
		return nil
	}
	var errs []error
	fault := func(format string, args ...any) { errs = append(errs, fmt.Errorf("alerting."+format, args...)) }
	if i := time.Duration(a.Interval); i < time.Second || i > maxInterval {
		fault("interval %s is not between 1s and %s", i, maxInterval)
	}
	for _, d := range []struct {
		name  string
		value Duration
	}{{"group_wait", a.GroupWait}, {"group_interval", a.GroupInterval}, {"repeat_interval", a.RepeatInterval}} {
		if time.Duration(d.value) < time.Second {
			fault("%s %s is shorter than 1s", d.name, d.value)
		}
	}
	if a.ExternalURL != "" {
		if u, err := url.Parse(a.ExternalURL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
			fault("external_url is no http or https URL, or has a user in it")
		}
	}
	for _, name := range a.GroupBy {
		if !labelName.MatchString(name) {
			fault("group_by: %q is no label name", name)
		}
	}
	seen := map[string]bool{}
	for i, n := range a.Notifiers {
		if err := n.fault(); err != nil {
			fault("notifiers[%d] %w", i, err)
		}
		if seen[n.Label()] {
			fault("notifiers[%d]: another one is named %q: give it a name of its own", i, n.Label())
		}
		seen[n.Label()] = true
	}
	return errs
}

// fault is what stands against a receiver; it shows no URL.
func (n Notifier) fault() error {
	switch {
	case n.Type != "alertmanager" && n.Type != "webhook":
		return fmt.Errorf("has type %q: write alertmanager or webhook", n.Type)
	case (n.URL == "") == (n.URLFile == ""):
		return errors.New("needs one of url and url_file")
	}
	r := RemoteWrite{
		URL: n.URL, BasicAuth: n.BasicAuth, BearerTokenFile: n.BearerTokenFile, TLS: n.TLS, Headers: n.Headers, Timeout: n.Timeout,
	}
	if n.URLFile != "" {
		r.URL = "https://in.a.file" // what it is shows when it is read
	}
	return errors.Join(r.fault(), readable("url_file", n.URLFile))
}
