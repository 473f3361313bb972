// Package doctor says what keeps a target from being watched in full, and which
// switch changes that.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/jmx"
	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// Level is how much a finding matters.
type Level string

// The levels.
const (
	OK   Level = "ok"
	Info Level = "info"
	Warn Level = "warn"
	Fail Level = "fail"
)

// Finding is one sentence about a target.
type Finding struct {
	Level Level
	// Text is safe to show on a terminal.
	Text string
}

// Client is what the doctor asks; *jmx.Client is one.
type Client interface {
	Poll(ctx context.Context) (*jvm.Snapshot, error)
	Details(ctx context.Context) (*jvm.Details, error)
	FinalizerQueue(ctx context.Context) (*jvm.FinalizerQueue, error)
	RegisteredFinalizers(ctx context.Context) (*jvm.RegisteredFinalizers, error)
	MaxDirectMemory(ctx context.Context) (int64, error)
	Version(ctx context.Context) (*jmx.Agent, error)
	Allows(ctx context.Context) ([]string, error)
	Denied(ctx context.Context) ([]string, error)
	ServesOneAtATime(ctx context.Context) (bool, error)
	TakesGET(ctx context.Context) bool
	Elsewhere(ctx context.Context) (url string)
}

// visit collects findings about one target.
type visit struct {
	findings []Finding
}

func (v *visit) say(l Level, format string, args ...any) {
	v.findings = append(v.findings, Finding{l, unit.Printable(fmt.Sprintf(format, args...))})
}

// Examine asks one target everything. It changes nothing in the JVM.
func Examine(ctx context.Context, t jvm.Target, c Client) []Finding {
	v := &visit{}
	v.connection(t)
	began := time.Now()
	snapshot, err := c.Poll(ctx)
	if err != nil {
		v.say(Fail, "no answer: %v", err)
		v.door(ctx, c, jmx.Reason(err))
		return v.findings
	}
	v.say(OK, "answers in %s", time.Since(began).Round(time.Millisecond))
	v.parts(snapshot.Missing)
	v.clock(snapshot, began)
	v.servers(snapshot)
	if details, err := c.Details(ctx); err != nil {
		v.say(Warn, "details cannot be read: %v", err)
	} else {
		v.parts(details.Missing)
		v.machine(details.VM)
	}
	v.agent(ctx, c)
	v.policy(ctx, c)
	v.diagnostics(ctx, c)
	if single, err := c.ServesOneAtATime(ctx); err == nil && single {
		v.say(Warn, "the agent serves one request at a time: one slow client blocks all others. Start it with executor=fixed,threadNr=5")
	}
	return v.findings
}

// door looks for who it is that does not let us in.
func (v *visit) door(ctx context.Context, c Client, reason string) {
	switch reason {
	case "http_401", "http_403":
		if c.TakesGET(ctx) {
			v.say(Warn, "the agent answers GET with these credentials: it is POST that is refused, for want of a CSRF token. "+
				"Exempt the agent's path from it, in Spring Security by csrf(c -> c.ignoringRequestMatchers(\"/actuator/jolokia/**\")), in version 5 ignoringAntMatchers")
		}
	case "http_404", "http_405":
		if url := c.Elsewhere(ctx); url != "" {
			v.say(Warn, "an agent answers at %s: give that as the target's URL", url)
		}
	}
}

// connection judges how the target is reached.
func (v *visit) connection(t jvm.Target) {
	if t.TLS.InsecureSkipVerify {
		v.say(Warn, "the agent's certificate is not checked: whoever answers in its place gets the credentials. Name its authority in tls_config.ca_file instead of insecure_skip_verify")
	}
}

// parts names what a poll did not get.
func (v *visit) parts(missing []jvm.Missing) {
	for _, m := range missing {
		v.say(Warn, "%s cannot be read: %s (see apm-sidecar policy)", m.Part, m.Reason)
	}
}

// maxSkew is the difference of clocks that starts to matter.
const maxSkew = 5 * time.Second

// clock compares the JVM's with ours. The JVM looked at its own some time between asked
// and the snapshot's.
func (v *visit) clock(s *jvm.Snapshot, asked time.Time) {
	if s.Runtime == nil || !s.Runtime.StartMs.Known() || !s.Runtime.UptimeMs.Known() {
		return
	}
	there := time.UnixMilli(s.Runtime.StartMs.Or(0) + s.Runtime.UptimeMs.Or(0))
	skew := there.Sub(s.Time)
	if skew < 0 {
		skew = min(0, there.Sub(asked))
	}
	if skew = skew.Round(time.Second); skew.Abs() > maxSkew {
		v.say(Warn, "the JVM's clock differs by %s from the one here (or was set since the JVM started): times of collections are off by as much", skew)
	}
}

// servers says which switch publishes what is not there.
func (v *visit) servers(s *jvm.Snapshot) {
	servers := s.Servers
	switch {
	case servers.Uncounted:
		v.say(Info, "WildFly counts no requests, its statistics are off. -Dwildfly.statistics-enabled=true switches them on, or jboss-cli: "+
			"/subsystem=undertow:write-attribute(name=statistics-enabled,value=true)")
	case len(servers.Connectors)+len(servers.WorkerPools) == 0:
		v.say(Info, "no MBeans of Tomcat, Jetty or Undertow: requests are not counted, and slow ones are known by the stacks of their threads alone, "+
			"those on virtual threads or without a thread by their spans alone. "+
			"Spring Boot on Tomcat has server.tomcat.mbeanregistry.enabled=true, Jetty the module jmx")
	}
	if len(servers.JDBCPools) == 0 {
		v.say(Info, "no MBeans of a connection pool. HikariCP has registerMbeans=true (Spring Boot: spring.datasource.hikari.register-mbeans=true), "+
			"Tomcat's and DBCP's pools jmxEnabled and jmxName, WildFly's data sources statistics-enabled=true")
	}
}

// machine names the virtual machine.
func (v *visit) machine(vm *jvm.VM) {
	if vm == nil || vm.Version == "" {
		return
	}
	v.say(OK, "%s %s of %s", vm.Name, vm.Version, vm.Vendor)
}

// agent judges the version of the Jolokia agent.
func (v *visit) agent(ctx context.Context, c Client) {
	a, err := c.Version(ctx)
	if err != nil || a.Version == "" {
		v.say(Info, "the agent does not tell its version")
		return
	}
	faults := knownFaults(a.Version)
	if len(faults) == 0 {
		v.say(OK, "Jolokia %s", a.Version)
	}
	for _, f := range faults {
		v.say(Warn, "Jolokia %s: %s", a.Version, f)
	}
}

// policy tells what is allowed beyond need, and what is denied of it.
func (v *visit) policy(ctx context.Context, c Client) {
	allowed, err := c.Allows(ctx)
	switch {
	case err != nil:
		v.say(Info, "the agent's policy cannot be judged: %v", err)
	case len(allowed) == 0:
		v.say(OK, "the agent's policy allows no more than it must")
	default:
		means := "shows what is secret in it"
		if slices.Contains(allowed, "exec") || slices.Contains(allowed, "write") {
			means = "amounts to running code in the JVM"
		}
		v.say(Warn, "the agent lets whoever it answers %s any MBean, which %s: give it the policy that apm-sidecar policy prints", strings.Join(allowed, ", "), means)
	}
	if denied, err := c.Denied(ctx); err == nil && len(denied) > 0 {
		named, more := denied[:min(len(denied), mostDenied)], ""
		if n := len(denied) - len(named); n > 0 {
			more = fmt.Sprintf(" and %d more", n)
		}
		v.say(Warn, "the agent's policy, or one of the server's own, denies what the sidecar asks for: %s%s. Give the agent the policy that apm-sidecar policy prints now; "+
			"ActiveMQ Artemis has its own in etc/management.xml",
			strings.Join(named, ", "), more)
	}
}

// mostDenied is how much of what is denied is named.
const mostDenied = 6

// finalizerRecording are the options of a JVM that records nothing but what
// registered finalizers need. A recording without a period tells them at the end of a
// chunk, which on a quiet JVM takes days.
const finalizerRecording = "-XX:StartFlightRecording:settings=none,+jdk.FinalizerStatistics#enabled=true,+jdk.FinalizerStatistics#period=1m"

// diagnostics tries the operations that finalizers by class and limits need.
func (v *visit) diagnostics(ctx context.Context, c Client) {
	_, err := c.FinalizerQueue(ctx)
	switch {
	case errors.Is(err, jmx.ErrUnsupported):
		v.say(Warn, "the finalizer queue by class is not to be had: HotSpot has it from JDK 9 on, and late updates of JDK 8 do, "+
			"but a runtime made by jlink only with the module jdk.jfr, without which JMX has no diagnostic commands")
	case err != nil:
		v.say(Warn, "the finalizer queue by class is not to be had: %v", err)
	}
	registered, err := c.RegisteredFinalizers(ctx)
	switch {
	case errors.Is(err, jmx.ErrUnsupported): // before JDK 21, where no switch helps
	case err != nil:
		v.say(Warn, "registered finalizers by class are not to be had: %v", err)
	case registered == nil:
		v.say(Info, "no registered finalizers by class, in use and leaked ones: a flight recording tells them, of the JVM's last minutes. "+
			"Start the JVM with %s, or give its recording jdk.FinalizerStatistics#period=1m", finalizerRecording)
	}
	if _, err := c.MaxDirectMemory(ctx); err != nil && !errors.Is(err, jmx.ErrUnsupported) {
		v.say(Warn, "the limit of direct memory is not to be had, so that nothing tells when it is used up: %v (see apm-sidecar policy)", err)
	}
}
