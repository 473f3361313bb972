package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/tx"
	"github.com/apm-sidecar/apm-sidecar/testbed/harness"
)

// experiment is a load on the slow web application, and how it is watched.
type experiment struct {
	tomcat              string
	interval, threshold time.Duration
	// clients ask one request after the other for as long as the load lasts.
	clients int
	lasts   time.Duration
	kinds   []string
	jvm     []string
	// driver is that of a MariaDB, mysql or mariadb; empty is for PostgreSQL.
	driver string
}

func (x experiment) String() string {
	return fmt.Sprintf("%s%s/%d-clients/%v", x.tomcat, x.driver, x.clients, x.interval)
}

// startDatabase starts the database; without one installed the test is skipped. The URLs are those of the
// application and of the sidecar.
func (x experiment) startDatabase(ctx context.Context, t *testing.T, bench *harness.Bench) (jdbcURL, url string) {
	t.Helper()
	if x.driver == "" {
		db, err := bench.StartPostgres(ctx)
		if errors.Is(err, harness.ErrNoPostgres) {
			t.Skip(err)
		}
		require.NoError(t, err)
		return db.JDBCURL(), db.URL()
	}
	db, err := bench.StartMariaDB(ctx)
	if errors.Is(err, harness.ErrNoMariaDB) {
		t.Skip(err)
	}
	require.NoError(t, err)
	return db.JDBCURL(x.driver), db.URLOf("root", "")
}

// kinds are the steps of requests; gc stops all others, so it has an experiment of
// its own.
func kinds() []string {
	return []string{"cpu", "sql", "sql", "narrow", "narrowtomcat", "http", "httpclient", "file", "sleep", "sync", "reentrant", "async"}
}

// TestTransactionsAgainstTruth compares what the sidecar says of slow requests with
// what the application did.
func TestTransactionsAgainstTruth(t *testing.T) {
	runExperiment(t, experiment{tomcat: "tomcat10", interval: 500 * time.Millisecond, threshold: 1500 * time.Millisecond, clients: 6, lasts: 6 * time.Second, kinds: kinds()})
}

// TestTransactionsOnMariaDB is the same with the driver of MySQL.
func TestTransactionsOnMariaDB(t *testing.T) {
	runExperiment(t, experiment{tomcat: "tomcat11", interval: 500 * time.Millisecond, threshold: 1500 * time.Millisecond, clients: 6, lasts: 6 * time.Second, kinds: kinds(), driver: "mysql"})
}

// TestTransactionsAgainstTruthOnAll is the same at length, on every Tomcat.
func TestTransactionsAgainstTruthOnAll(t *testing.T) {
	if !full() {
		t.Skip("E2E_FULL=1 runs it: it takes a quarter of an hour")
	}
	for _, tomcat := range harness.Tomcats() {
		for _, clients := range []int{4, 12, 30} {
			x := experiment{tomcat: tomcat, interval: time.Second, threshold: 3 * time.Second, clients: clients, lasts: time.Minute, kinds: kinds()}
			t.Run(x.String(), func(t *testing.T) { runExperiment(t, x) })
		}
	}
	for _, driver := range []string{"mysql", "mariadb"} {
		x := experiment{tomcat: "tomcat10", interval: time.Second, threshold: 3 * time.Second, clients: 12, lasts: time.Minute, kinds: kinds(), driver: driver}
		t.Run(x.String(), func(t *testing.T) { runExperiment(t, x) })
	}
	x := experiment{tomcat: "tomcat10", interval: time.Second, threshold: 3 * time.Second, clients: 4, lasts: time.Minute, kinds: []string{"gc", "cpu", "sql"}}
	t.Run("gc", func(t *testing.T) { runExperiment(t, x) })
}

func runExperiment(t *testing.T, x experiment) {
	t.Helper()
	java := defaultJDK(t).java
	bench := newBench(t)
	ctx, cancel := context.WithTimeout(t.Context(), x.lasts+testTimeout)
	defer cancel()
	jdbcURL, url := x.startDatabase(ctx, t, bench)
	app, err := bench.StartSlowWebApp(ctx, java, x.tomcat, jdbcURL, x.jvm...)
	if errors.Is(err, harness.ErrNoJava) {
		t.Skip(err)
	}
	require.NoError(t, err)
	for _, kind := range x.kinds { // classes are loaded, pools are filled
		require.NoError(t, ask(ctx, app.URL+"/run/warm/"+kind+"?steps="+kind+":50"))
	}
	sidecar, err := bench.StartSidecarWith(ctx, app.JolokiaURL, fmt.Sprintf("transactions:\n  interval: %v\n  threshold: %v\ndatabases:\n  - {name: shop, url: %q}\n", x.interval, x.threshold, url))
	require.NoError(t, err)

	awaitFollowed(ctx, t, sidecar)
	x.load(ctx, t, app.URL)
	truths, err := app.Truths()
	require.NoError(t, err)
	c := newComparison(x.threshold, truths)
	slow, _ := c.slow()
	for _, s := range awaitRecords(ctx, t, sidecar, func(l []tx.Summary) bool { return len(l) >= slow }) {
		var rec tx.Record
		require.NoError(t, sidecar.Get(ctx, "/api/transactions/"+s.ID, &rec))
		c.add(&rec)
	}
	t.Logf("%s\n%s", x, c)
	late := looksMissed(ctx, t, sidecar)
	within := 0.9
	if slow < 50 {
		within = 0.7 // chance has its part in a few
	}
	c.assert(t, late, within)
	assert.NoError(t, sidecar.Stop(sidecarGrace))
}

// awaitFollowed waits until the sidecar follows the transactions of its target.
func awaitFollowed(ctx context.Context, t *testing.T, sidecar *harness.Sidecar) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	require.Eventually(t, func() bool {
		looks, err := sidecar.Metric(ctx, "apm_sidecar_requests_look_duration_seconds_count")
		return err == nil && looks > 0
	}, patience, 50*time.Millisecond)
}

// looksMissed is how many looks at the requests in flight were left out, as a busy machine has it.
func looksMissed(ctx context.Context, t *testing.T, sidecar *harness.Sidecar) float64 {
	t.Helper()
	missed, err := sidecar.Metric(ctx, "apm_sidecar_looks_missed_total")
	require.NoError(t, err)
	return missed
}

// awaitRecords waits until what is on record suffices, at most for half a minute, and returns
// what is on record two seconds later: what is too much is there by then, too.
func awaitRecords(ctx context.Context, t *testing.T, sidecar *harness.Sidecar, suffice func([]tx.Summary) bool) []tx.Summary {
	t.Helper()
	var list struct {
		Total        int
		Transactions []tx.Summary
	}
	get := func() []tx.Summary {
		require.NoError(t, sidecar.Get(ctx, "/api/transactions?limit=20000", &list))
		require.Len(t, list.Transactions, list.Total)
		return list.Transactions
	}
	for end := time.Now().Add(30 * time.Second); !suffice(get()) && time.Now().Before(end); {
		pause(ctx, 100*time.Millisecond)
	}
	pause(ctx, 2*time.Second)
	return get()
}

// load asks for random requests until the time is over, and waits for their ends.
func (x experiment) load(ctx context.Context, t *testing.T, url string) {
	t.Helper()
	end := time.Now().Add(x.lasts)
	var clients sync.WaitGroup
	for c := range x.clients {
		clients.Go(func() {
			for n := 0; time.Now().Before(end) && ctx.Err() == nil; n++ {
				path := fmt.Sprintf("/run/%s/%d-%d", x.tomcat, c, n)
				assert.NoError(t, ask(ctx, url+path+"?steps="+x.plan()))
			}
		})
	}
	clients.Wait()
}

// plan is one to three steps that take half the threshold to twice as long together,
// or a short one.
func (x experiment) plan() string {
	if rand.IntN(5) == 0 {
		return "sql:20,cpu:5"
	}
	left := x.threshold.Milliseconds()/2 + rand.Int64N(3*x.threshold.Milliseconds()/2)
	var steps []string
	for n := 1 + rand.Int64N(3); n > 0; n-- {
		kind := x.kinds[rand.IntN(len(x.kinds))]
		ms := left / n
		if n > 1 {
			ms = ms/2 + rand.Int64N(ms)
		}
		left -= ms
		switch kind {
		case "cpu":
			ms /= 3 // there are few processors
		case "narrow", "narrowtomcat", "sync", "reentrant":
			ms /= 4 // one at a time
		}
		steps = append(steps, fmt.Sprintf("%s:%d", kind, ms))
		if kind == "async" {
			break
		}
	}
	return strings.Join(steps, ",")
}

func ask(ctx context.Context, url string) error { return askBy(ctx, http.DefaultClient, url) }

func askBy(ctx context.Context, client *http.Client, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, response.Status)
	}
	return nil
}
