package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// exampleConfig shows every field of the configuration file.
const exampleConfig = `  targets:
    - url: http://127.0.0.1:8778/jolokia/
      name: shop                      # label job; default jvm
      labels: {env: prod}             # instance replaces the URL's host:port
      # username: monitor
      # password_file: /run/secrets/jolokia
      # bearer_token_file: ""         # instead of username and password_file
      # tls_config: {ca_file: "", cert_file: "", key_file: "", server_name: "", insecure_skip_verify: false}
      # interval: 30s                 # instead of the one below
      # timeout: 5s
  discovery: []                       # jobs as Prometheus writes them
  # - job_name: shop
  #   file_sd_configs: [{files: [/etc/apm-sidecar/*.yaml]}]
  #   http_sd_configs: [{url: http://cmdb/jvms, refresh_interval: 1m}]  # also of files and dns
  #   dns_sd_configs: [{names: [shop.internal], type: A, port: 8778}]
  #   kubernetes_sd_configs: [{role: pod}]
  #   local_sd_configs: [{}]          # JVMs of this host
  #   relabel_configs: []
  #   username: monitor               # of the agents found
  #   password_file: /run/secrets/jolokia  # or bearer_token_file, and tls_config, as above
  shard: ""                           # 1/3: the first of three sidecars that split the targets
  interval: 10s
  slow_interval: 1m                   # of what changes slowly or costs the JVM more
  naming: prometheus                  # otel: names of OpenTelemetry's semantic conventions
  evidence:
    max_pause: 1s                     # a class histogram may stop the JVM for so long; 0: takes none
  listen: 127.0.0.1:8429
  data_dir: apm-sidecar-data
  retention: 30d                      # of the embedded store
  store:
    memory: 64MiB                     # caches of the embedded store
    queue: 1GiB                       # samples on their way to one receiver
    min_free_disk: 256MiB             # below it nothing more is stored, only queued
  remote_write: []                    # URLs; with any, there is no embedded store
  # - url: https://vm:8428/api/v1/write
  #   basic_auth: {username: apm, password_file: /run/secrets/vm}
  #   bearer_token_file: ""           # instead of basic_auth
  #   tls_config: {ca_file: "", cert_file: "", key_file: "", server_name: ""}
  #   headers: {}
  #   timeout: 30s
  embedded: false                     # true: keep it beside the receivers
  web:
    cert_file: ""                     # with key_file: TLS
    key_file: ""
    users: []                         # needed where listen is no loopback address
    # - {username: ops, password_file: /run/secrets/ops, read_only: true}
    open: false                       # true: everyone may see the pages, under any name
  databases: []                       # logins for monitoring: which SQL slow transactions wait for
  # - url: postgres://apm@db:5432/shop?sslmode=require
  #   password_file: /run/secrets/apm-db
  #   name: orders                    # host:port without one
  capture:                            # heap dumps: off without a directory
    directory: ""                     # as the sidecar sees it
    jvm_directory: ""                 # as the JVM sees it, where that differs
    old_after_gc_ratio: 0.75          # old region in use after a collection
    cool_down: 1h
    live: false                       # true: collect first, dump live objects only
    keep_dumps: 1                     # per target; reports stay
  transactions:                       # requests in flight
    enabled: true
    interval: 1s                      # between two looks
    threshold: 3s                     # slow from here on, and put on record
    routes: {}                        # other thresholds: {"/report/*": 30s}
    max_records_bytes: 64MiB
    spans:                            # those that applications send of themselves, by OTLP/HTTP
      listen: ""                      # 127.0.0.1:4318 takes them
      cert_file: ""                   # with key_file: TLS
      key_file: ""
      bearer_token_file: ""           # needed where listen is no loopback address
      open: false                     # true: take them from everyone
      max_memory: 64MiB               # of requests that are not decided on yet
      services: {}                    # {service.name: job/instance of its target}, where spans do not tell
      export:                         # to a backend: off without a URL
        url: ""                       # http://traces:10428/insert/opentelemetry/v1/traces
        received: slow                # spans that came: slow, all or none
        records: true                 # slow transactions as spans
        # basic_auth: {username: apm, password_file: /run/secrets/traces}
        # bearer_token_file: ""
        # tls_config: {}
        # headers: {}
        # timeout: 10s
  alerting:                           # on the embedded store
    enabled: true
    builtin_rules: true               # those in dashboards/alerts
    rules: []                         # more: files, folders, patterns; as Prometheus and vmalert have them
    interval: 30s                     # of groups that give none
    external_url: ""                  # where people reach these pages, for links
    group_by: [job, instance]         # what is alike in these goes into one message to a webhook
    group_wait: 30s
    group_interval: 5m
    repeat_interval: 4h               # while nobody acknowledged it
    notifiers: []
  # - type: alertmanager
  #   url: http://alertmanager:9093
  #   basic_auth: {username: apm, password_file: /run/secrets/alertmanager}
  # - type: webhook                   # gets what an Alertmanager's webhook gets
  #   name: chat
  #   url_file: /run/secrets/chat     # instead of url: it may hold a token
  #   bearer_token_file: ""
  #   tls_config: {}
  #   headers: {}
  #   timeout: 10s
`

// newCheckCommand builds "apm-sidecar check".
func newCheckCommand(env environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check --config FILE",
		Short: "Check the configuration and say what it amounts to",
		Long: `check reads flags, environment and configuration file as run does, names every
fault, and contacts nobody. All fields of the file but targets have defaults, shown
here; durations are written like 10s, 1m30s or 30d, sizes like 64MiB; ${NAME} is the
environment variable of that name, and one that is not set is an error:

` + exampleConfig,
		Args: noArguments,
	}
	s := addSettings(cmd.Flags())
	cmd.RunE = func(*cobra.Command, []string) error {
		c, err := s.load(env.getenv)
		if err != nil {
			return err
		}
		targets, err := c.JVMs()
		if err != nil {
			return usageError{err}
		}
		if err := checkAlerting(c); err != nil {
			return err
		}
		_, err = fmt.Fprintf(env.stdout, "the configuration is valid: %d target(s) every %s\n", len(targets), c.Interval)
		for _, t := range targets {
			if err != nil {
				break
			}
			_, err = fmt.Fprintf(env.stdout, "  %s  %s  credentials: %s%s\n", t.Name(), t.URL, t.Credentials, unchecked(t))
		}
		for _, j := range c.Discovery {
			if err != nil {
				break
			}
			_, err = fmt.Fprintf(env.stdout, "  and those that discovery finds: job %s\n", j.Name)
		}
		return err
	}
	return cmd
}

// unchecked warns of a target whose certificate is not looked at.
func unchecked(t jvm.Target) string {
	if !t.TLS.InsecureSkipVerify {
		return ""
	}
	return "  certificate: NOT CHECKED, anyone may answer in its place"
}
