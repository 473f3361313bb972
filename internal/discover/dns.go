package discover

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

const (
	dnsInterval = 30 * time.Second
	dnsTimeout  = 10 * time.Second
)

// DNSConfig names records that list the hosts of targets.
type DNSConfig struct {
	Names []string `yaml:"names"`
	// Type is SRV, A or AAAA; SRV if empty.
	Type string `yaml:"type"`
	// Port is needed where the record has none.
	Port    int     `yaml:"port"`
	Refresh Refresh `yaml:"refresh_interval"`
}

func (c *DNSConfig) validate() error {
	switch {
	case len(c.Names) == 0:
		return errors.New("names is empty")
	case c.kind() == "SRV": // its records have ports
	case c.kind() != "A" && c.kind() != "AAAA":
		return fmt.Errorf("type %q is none of SRV, A and AAAA", c.Type)
	case c.Port < 1 || c.Port > 65535:
		return fmt.Errorf("type %s needs a port", c.kind())
	}
	return c.Refresh.validate()
}

// kind is the type of records.
func (c *DNSConfig) kind() string {
	if c.Type == "" {
		return "SRV"
	}
	return strings.ToUpper(c.Type)
}

// list looks all names up. One that cannot be looked up is an error of all, so that
// its targets do not vanish.
func (c *DNSConfig) list(ctx context.Context) ([]labels, error) {
	ctx, cancel := context.WithTimeout(ctx, dnsTimeout)
	defer cancel()
	var all []labels
	for _, name := range c.Names {
		addresses, err := c.lookup(ctx, name)
		if err != nil {
			return nil, err
		}
		for _, address := range addresses {
			all = append(all, labels{"__address__": address, "__meta_dns_name": name})
		}
	}
	return all, nil
}

func (c *DNSConfig) lookup(ctx context.Context, name string) ([]string, error) {
	var out []string
	if c.kind() == "SRV" {
		_, records, err := net.DefaultResolver.LookupSRV(ctx, "", "", name)
		for _, r := range records {
			out = append(out, net.JoinHostPort(strings.TrimSuffix(r.Target, "."), strconv.Itoa(int(r.Port))))
		}
		return out, err
	}
	network := map[string]string{"A": "ip4", "AAAA": "ip6"}[c.kind()]
	ips, err := net.DefaultResolver.LookupIP(ctx, network, name)
	for _, ip := range ips {
		out = append(out, net.JoinHostPort(ip.String(), strconv.Itoa(c.Port)))
	}
	return out, err
}
