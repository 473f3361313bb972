package jmx

import (
	"strings"
	"time"
)

const (
	// everyDomain has a JVM go through all of its MBeans for each pattern: with the 12,000 of
	// an Apache Cassandra that is 7 ms of a processor.
	everyDomain = "*"
	// tomcatsOwn is the domain of a Tomcat that nobody named or embedded.
	tomcatsOwn = "Catalina"
	// everyDomainTime is the time between two looks in every domain.
	everyDomainTime = 10 * time.Second
)

// tomcatDomain is the domain in which looks find Tomcat's MBeans, as long as there is but one. The zero
// value knows none.
type tomcatDomain struct {
	name string
	// until is when to look in every domain again.
	until time.Time
}

// at is the domain to look in.
func (d *tomcatDomain) at(now time.Time) string {
	if now.Before(d.until) {
		return d.name
	}
	return everyDomain
}

// saw takes up what was found in every domain: request processors and pools of threads.
func (d *tomcatDomain) saw(at time.Time, processors, pools reply) {
	domains := map[string]bool{}
	note := func(r reply, attribute string) {
		if r.err != "" {
			return
		}
		r.value.each(func(key []byte, bean value) {
			if domain, _, _ := strings.Cut(string(key), ":"); count(bean, attribute).Known() {
				domains[domain] = true
			}
		})
	}
	note(processors, "requestCount")
	note(pools, "currentThreadsBusy")
	*d = tomcatDomain{name: tomcatsOwn, until: at.Add(everyDomainTime)}
	for domain := range domains {
		d.name = domain
	}
	if len(domains) > 1 {
		*d = tomcatDomain{}
	}
}
