package doctor_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/doctor"
	"github.com/apm-sidecar/apm-sidecar/internal/jmx"
	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// patient answers as told; the zero value is a healthy JVM.
type patient struct {
	down, queue error
	recording   error
	limit       error
	noRecording bool
	skew, takes time.Duration
	missing     []jvm.Missing
	version, vm string
	allowed     []string
	denied      []string
	single      bool
	unchecked   bool
	servers     jvm.Servers
	takesGET    bool
	elsewhere   string
}

func (p patient) Poll(context.Context) (*jvm.Snapshot, error) {
	now := time.Now()
	start := now.Add(-time.Hour).Add(p.skew)
	return &jvm.Snapshot{
		Time: now.Add(p.takes), Missing: p.missing, Servers: p.servers,
		Runtime: &jvm.Runtime{StartMs: jvm.Some(start.UnixMilli()), UptimeMs: jvm.Some(time.Hour.Milliseconds())},
	}, p.down
}

func (p patient) Details(context.Context) (*jvm.Details, error) {
	return &jvm.Details{VM: &jvm.VM{Name: "OpenJDK", Version: p.vm, Vendor: "X"}}, nil
}

func (p patient) FinalizerQueue(context.Context) (*jvm.FinalizerQueue, error) { return nil, p.queue }

func (p patient) RegisteredFinalizers(context.Context) (*jvm.RegisteredFinalizers, error) {
	if p.noRecording || p.recording != nil {
		return nil, p.recording
	}
	return &jvm.RegisteredFinalizers{}, nil
}

func (p patient) MaxDirectMemory(context.Context) (int64, error) { return 0, p.limit }

func (p patient) Version(context.Context) (*jmx.Agent, error) {
	return &jmx.Agent{Version: p.version}, nil
}

func (p patient) Allows(context.Context) ([]string, error) { return p.allowed, nil }

func (p patient) Denied(context.Context) ([]string, error) { return p.denied, nil }

func (p patient) ServesOneAtATime(context.Context) (bool, error) { return p.single, nil }

func (p patient) TakesGET(context.Context) bool { return p.takesGET }

func (p patient) Elsewhere(context.Context) string { return p.elsewhere }

// TestExamineFindsTheDoor: an agent that does not let us in.
func TestExamineFindsTheDoor(t *testing.T) {
	t.Parallel()
	f := func(reason string, p patient, want ...string) {
		t.Helper()
		p.down = &jmx.Error{Reason: reason, Err: errors.New("refused")}
		var got []string
		for _, f := range doctor.Examine(t.Context(), jvm.Target{}, p) {
			got = append(got, string(f.Level)+" "+f.Text)
		}
		if assert.Len(t, got, len(want)) {
			for i := range want {
				assert.Contains(t, got[i], want[i])
			}
		}
	}
	f("http_401", patient{}, "fail no answer: refused")
	f("http_401", patient{takesGET: true}, "fail no answer", "warn the agent answers GET with these credentials")
	f("http_403", patient{takesGET: true, elsewhere: "http://h/x/"}, "fail no answer", "CSRF")
	f("http_404", patient{takesGET: true}, "fail no answer")
	f("http_404", patient{elsewhere: "http://h/x/"}, "fail no answer", "warn an agent answers at http://h/x/")
	f("http_405", patient{elsewhere: "http://h/x/"}, "fail no answer", "warn an agent answers at http://h/x/")
	f("dial", patient{takesGET: true, elsewhere: "http://h/x/"}, "fail no answer")
}

// TestExamineSaysWhatPublishesRequests: by the switch of the server that is there.
func TestExamineSaysWhatPublishesRequests(t *testing.T) {
	t.Parallel()
	f := func(servers jvm.Servers, want string) {
		t.Helper()
		var said []string
		for _, f := range doctor.Examine(t.Context(), jvm.Target{}, patient{version: "2.6.0", vm: "17.0.15+6", servers: servers}) {
			if strings.Contains(f.Text, "requests") {
				said = append(said, string(f.Level)+" "+f.Text)
			}
		}
		require.Len(t, said, 1)
		assert.Contains(t, said[0], want)
	}
	f(jvm.Servers{}, "info no MBeans of Tomcat, Jetty or Undertow: requests are not counted")
	f(jvm.Servers{Uncounted: true, WorkerPools: []jvm.WorkerPool{{}}}, "info WildFly counts no requests, its statistics are off. -Dwildfly.statistics-enabled=true")
}

func TestExamine(t *testing.T) {
	t.Parallel()
	published := jvm.Servers{Connectors: []jvm.HTTPConnector{{}}, JDBCPools: []jvm.JDBCPool{{}}}
	for name, c := range map[string]struct {
		patient patient
		want    string // begin of the only finding that is not ok; empty for none
	}{
		"healthy":         {patient{}, ""},
		"down":            {patient{down: errors.New("refused")}, "fail no answer: refused"},
		"a missing part":  {patient{missing: []jvm.Missing{{Part: "pools", Reason: "denied"}}}, "warn pools cannot be read: denied"},
		"escape sequence": {patient{missing: []jvm.Missing{{Part: "pools", Reason: "\x1b[2J"}}}, `warn pools cannot be read: \x1b[2J`},
		"clock behind":    {patient{skew: -time.Minute}, "warn the JVM's clock differs by -1m0s"},
		"clock ahead":     {patient{skew: time.Minute}, "warn the JVM's clock differs by 1m0s"},
		"slow":            {patient{takes: 20 * time.Second}, ""},
		"old JDK":         {patient{vm: "25.202-b08", queue: fmt.Errorf("finalizer queue: %w", jmx.ErrUnsupported)}, "warn the finalizer queue by class is not to be had: HotSpot has it"},
		"agent with NaN":  {patient{version: "2.4.1"}, "warn Jolokia 2.4.1: attributes"},
		"agent with CSRF": {patient{version: "1.6.0"}, "warn Jolokia 1.6.0: a web page"},
		"last 1.x":        {patient{version: "1.7.2"}, ""},
		"open policy":     {patient{allowed: []string{"exec", "write"}}, "warn the agent lets whoever it answers exec, write any MBean, which amounts to running code"},
		"readable policy": {patient{allowed: []string{"read", "search"}}, "warn the agent lets whoever it answers read, search any MBean, which shows what is secret in it"},
		"old policy":      {patient{denied: []string{"a:b=c/d", "e:f=*"}}, "warn the agent's policy, or one of the server's own, denies what the sidecar asks for: a:b=c/d, e:f=*. Give the agent"},
		"strange policy":  {patient{denied: []string{"1", "2", "3", "4", "5", "6", "7", "8"}}, "warn the agent's policy, or one of the server's own, denies what the sidecar asks for: 1, 2, 3, 4, 5, 6 and 2 more. Give the agent"},
		"no queue":        {patient{queue: errors.New("denied")}, "warn the finalizer queue by class"},
		"no recording":    {patient{noRecording: true}, "info no registered finalizers by class"},
		"no such view":    {patient{recording: jmx.ErrUnsupported}, ""},
		"view denied":     {patient{recording: errors.New("denied")}, "warn registered finalizers by class are not to be had: denied"},
		"no such option":  {patient{limit: jmx.ErrUnsupported}, ""},
		"option denied":   {patient{limit: errors.New("denied")}, "warn the limit of direct memory is not to be had, so that nothing tells when it is used up: denied"},
		"unchecked":       {patient{unchecked: true}, "warn the agent's certificate is not checked"},
		"single":          {patient{single: true}, "warn the agent serves one request at a time"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := c.patient
			p.servers = published
			if p.version == "" {
				p.version = "2.6.0"
			}
			if p.vm == "" {
				p.vm = "17.0.15+6"
			}
			var rest []string
			for _, f := range doctor.Examine(t.Context(), jvm.Target{TLS: jvm.TLS{InsecureSkipVerify: p.unchecked}}, p) {
				if f.Level != doctor.OK {
					rest = append(rest, string(f.Level)+" "+f.Text)
				}
			}
			if c.want == "" {
				assert.Empty(t, rest)
				return
			}
			if assert.Len(t, rest, 1) {
				assert.True(t, strings.HasPrefix(rest[0], c.want), rest[0])
			}
		})
	}
}

func TestExamineNamesTheSwitches(t *testing.T) {
	t.Parallel()
	var all []string
	for _, f := range doctor.Examine(t.Context(), jvm.Target{}, patient{version: "1.3.0", vm: "17"}) {
		all = append(all, f.Text)
	}
	text := strings.Join(all, "\n")
	for _, want := range []string{"server.tomcat.mbeanregistry.enabled", "register-mbeans", "CVE-2018-1000130", "CVE-2018-10899"} {
		assert.Contains(t, text, want)
	}
}
