package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/report"
	"github.com/apm-sidecar/apm-sidecar/testbed/harness"
)

const (
	requestsPerSecond = 4000
	clients           = 8
	// captureRatio is how full the old region is after a collection when the
	// dump is taken.
	captureRatio = 0.6
	// verdictTimeout is for the whole way to the verdict, on a slow machine.
	verdictTimeout = 4 * time.Minute
	// progressInterval is the pace of the lines that show the heap filling.
	progressInterval = 5 * time.Second

	// lastMinutes has vmui show the time that the demo takes, not half an hour.
	lastMinutes = "g0.range_input=5m&g0.relative_time=last_5_minutes"

	expectedKind    = "timer-held"
	expectedCulprit = "org.postgresql.jdbc3g.Jdbc3gPreparedStatement"
)

// errNoVerdict says that the report does not name the leak.
var errNoVerdict = fmt.Errorf("the report has no finding %s that blames %s", expectedKind, expectedCulprit)

// run is the demo. Unless once, it goes on until ctx ends.
func run(ctx context.Context, p *printer, once bool) (err error) {
	bench, err := harness.NewBench()
	if err != nil {
		return err
	}
	defer func() {
		p.step("stopping everything")
		err = errors.Join(err, bench.Close())
		p.step("nothing is left behind")
	}()

	parts, err := start(ctx, p, bench)
	if err != nil {
		return err
	}
	verdict, err := awaitVerdict(ctx, p, parts)
	if err != nil {
		return err
	}
	if once {
		return verdict
	}
	p.step("the sidecar keeps watching; Ctrl-C ends the demo")
	<-ctx.Done()
	return verdict
}

// parts are what the demo runs.
type parts struct {
	app     *harness.LeakyWebApp
	sidecar *harness.Sidecar
}

// start brings everything up, front to back.
func start(ctx context.Context, p *printer, bench *harness.Bench) (*parts, error) {
	java, err := harness.FindJava()
	if err != nil {
		return nil, err
	}
	db, err := bench.StartPostgres(ctx)
	if err != nil {
		return nil, err
	}
	p.step("PostgreSQL listens on 127.0.0.1:%d", db.Port)

	app, err := bench.StartLeakyWebApp(ctx, java, db, harness.SmallHeap()...)
	if err != nil {
		return nil, err
	}
	p.step("Tomcat serves       %s?id=1", app.OrderURL)
	p.more("Jolokia answers at  %s", app.JolokiaURL)

	sidecar, err := bench.StartSidecar(ctx, app.JolokiaURL, captureRatio)
	if err != nil {
		return nil, err
	}
	p.step("apm-sidecar watches it; look here:")
	p.more("%s/vmui/#/dashboards?%s", sidecar.URL, lastMinutes)

	if _, err := bench.StartLoad(ctx, java, app.OrderURL, requestsPerSecond, clients); err != nil {
		return nil, err
	}
	p.step("load starts: up to %d requests a second, each a statement with a query timeout", requestsPerSecond)
	p.more("of 3000 s, executed and closed as it should be")
	p.more("When a collection leaves %.0f %% of the old region in use, the sidecar takes a dump.", captureRatio*100)
	return &parts{app: app, sidecar: sidecar}, nil
}

// awaitVerdict shows the heap filling until the sidecar has analysed a dump, and
// prints the verdict. The first error says whether the verdict is the expected
// one, the second why there is none.
func awaitVerdict(ctx context.Context, p *printer, parts *parts) (verdict, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, verdictTimeout, fmt.Errorf("no verdict within %v", verdictTimeout))
	defer cancel()

	quiet := showProgress(ctx, p, parts.sidecar)
	dump, err := parts.sidecar.AwaitDump(ctx)
	quiet()
	if err != nil {
		return nil, errors.Join(err, parts.explain())
	}
	p.step("the JVM wrote a heap dump, heapscan reads it")
	p.more("%s", dump)

	r, err := parts.sidecar.AwaitReport(ctx)
	if err != nil {
		return nil, errors.Join(err, parts.explain())
	}
	p.step("the verdict:")
	if err := p.verdict(r); err != nil {
		return nil, err
	}
	return checkVerdict(r), nil
}

// explain says what is wrong with the web application, if it is gone.
func (p *parts) explain() error {
	select {
	case <-p.app.Ended():
		return fmt.Errorf("the web application ended:\n%s", p.app.Tail())
	default:
		return nil
	}
}

// checkVerdict is nil when the report names the leak.
func checkVerdict(r *report.Report) error {
	for _, f := range r.Findings {
		if f.Kind == expectedKind && f.Culprit.Class == expectedCulprit {
			return nil
		}
	}
	return errNoVerdict
}
