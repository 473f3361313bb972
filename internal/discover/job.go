package discover

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/VictoriaMetrics/VictoriaMetrics/lib/promrelabel"
	"github.com/VictoriaMetrics/VictoriaMetrics/lib/promscrape/discovery/kubernetes"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// Job is a group of targets that are found and named in one way, in the words of
// Prometheus.
type Job struct {
	// Name becomes the label job unless relabelling sets another.
	Name string `yaml:"job_name"`
	// The sources.
	Files      []FileConfig          `yaml:"file_sd_configs"`
	HTTP       []HTTPConfig          `yaml:"http_sd_configs"`
	DNS        []DNSConfig           `yaml:"dns_sd_configs"`
	Kubernetes []kubernetes.SDConfig `yaml:"kubernetes_sd_configs"`
	Local      []LocalConfig         `yaml:"local_sd_configs"`
	// Relabel turns what a source says into the labels of a target, or drops it.
	Relabel []promrelabel.RelabelConfig `yaml:"relabel_configs"`
	// Username and PasswordFile, or BearerTokenFile, are for the agents of all
	// targets, TLS for those with https.
	Username        string  `yaml:"username"`
	PasswordFile    string  `yaml:"password_file"`
	BearerTokenFile string  `yaml:"bearer_token_file"`
	TLS             jvm.TLS `yaml:"tls_config"`
}

// Validate joins all faults.
func (j *Job) Validate() error {
	var errs []error
	if j.Name == "" {
		errs = append(errs, errors.New("job_name is missing"))
	}
	if len(j.Files)+len(j.HTTP)+len(j.DNS)+len(j.Kubernetes)+len(j.Local) == 0 {
		errs = append(errs, errors.New("no source: give file_sd_configs, http_sd_configs, dns_sd_configs, kubernetes_sd_configs or local_sd_configs"))
	}
	for i := range j.Files {
		errs = append(errs, at("file_sd_configs", i, j.Files[i].validate()))
	}
	for i := range j.DNS {
		errs = append(errs, at("dns_sd_configs", i, j.DNS[i].validate()))
	}
	for i := range j.HTTP {
		errs = append(errs, at("http_sd_configs", i, j.HTTP[i].validate()))
	}
	for i := range j.Kubernetes {
		errs = append(errs, at("kubernetes_sd_configs", i, kubernetesFault(&j.Kubernetes[i])))
	}
	if (j.Username == "") != (j.PasswordFile == "") {
		errs = append(errs, errors.New("username and password_file belong together"))
	}
	if j.Username != "" && j.BearerTokenFile != "" {
		errs = append(errs, errors.New("username and bearer_token_file exclude each other"))
	}
	errs = append(errs, j.TLS.Validate(""))
	if _, err := promrelabel.ParseRelabelConfigs(j.Relabel); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// at names the place of a fault.
func at(field string, i int, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s[%d]: %w", field, i, err)
}

// credentials are those of the job's targets.
func (j *Job) credentials() jvm.Credentials {
	return jvm.Credentials{Username: j.Username, PasswordFile: j.PasswordFile, BearerTokenFile: j.BearerTokenFile}
}

// source is one entry of a job.
type source struct {
	kind     string
	interval time.Duration
	// list asks for all targets, as labels. It is not called by two at once.
	list func(ctx context.Context) ([]labels, error)
	// fault is how often something went wrong since the last call, and what is wrong now,
	// with a source that lists what it knows all the same; nil where list has all errors.
	fault func() (int, error)
	// begin is called before the first list, and may take its time. stop is called after it
	// when no more is wanted; either may be nil.
	begin, stop func()
}

// labels are what a source says of one target.
type labels map[string]string

// sources are those of the job.
func (j *Job) sources() []source {
	var all []source
	for i := range j.Files {
		all = append(all, fileSource(&j.Files[i]))
	}
	for i := range j.HTTP {
		all = append(all, httpSource(&j.HTTP[i]))
	}
	for i := range j.DNS {
		all = append(all, source{kind: "dns", interval: j.DNS[i].Refresh.or(dnsInterval), list: j.DNS[i].list})
	}
	for i := range j.Kubernetes {
		all = append(all, kubernetesSource(&j.Kubernetes[i]))
	}
	for range j.Local {
		all = append(all, localSource())
	}
	return all
}
