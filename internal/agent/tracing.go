package agent

import (
	"context"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/jmx"
	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/internal/tx"
	"github.com/apm-sidecar/apm-sidecar/internal/tx/ring"
)

// RequestClient is what following transactions needs of a target's Jolokia agent.
type RequestClient interface {
	// Requests looks at the requests in flight, and at what the workers, threads by
	// name and id, have used up.
	Requests(ctx context.Context, workers map[string]int64) (*jvm.Requests, error)
	// ThreadIDs are the ids of all live threads.
	ThreadIDs(ctx context.Context) ([]int64, error)
	// Threads looks at threads: all at their states, some at their stacks; and then at
	// request processors by name.
	Threads(ctx context.Context, states, stacks []int64, depth int, processors ...string) (*jmx.ThreadLook, error)
}

// TracingOptions steer the following of transactions.
type TracingOptions struct {
	// Interval is the time between two looks at a target.
	Interval   time.Duration
	Thresholds tx.Thresholds
	// Databases are asked for the statements that threads wait for.
	Databases []Database
	// Records keeps the slow ones.
	Records *ring.Ring
	// Spans are joined to them.
	Spans SpanOptions
}

// Transactions is what the sidecar knows of transactions, for pages and programs.
// It is safe for concurrent use.
type Transactions struct {
	tracers func() []*tracer
	records *ring.Ring
}

// Transactions is nil where they are not followed.
func (a *Agent) Transactions() *Transactions {
	if a.opts.Tracing == nil {
		return nil
	}
	return &Transactions{tracers: a.tracers, records: a.opts.Tracing.Records}
}

// Active are the transactions in flight, of one target or, for an empty one, of all.
func (t *Transactions) Active(now time.Time, target string) *tx.Board {
	targets, rows := t.inFlight(now, target)
	return tx.NewBoard(now, targets, rows)
}

// Topology is made of those in flight and of the records that match.
func (t *Transactions) Topology(q ring.Query, now time.Time) *tx.Topology {
	targets, rows := t.inFlight(now, q.Target)
	m := tx.NewTopologyMap(q.From, q.To, targets)
	t.records.Each(q, m.Add)
	for i := range rows {
		m.AddActive(&rows[i])
	}
	return m.Topology()
}

// Heat counts the records that match by time and duration.
func (t *Transactions) Heat(q ring.Query, columns int) *tx.Heat {
	m := tx.NewHeatMap(q.From, q.To, columns)
	t.records.Each(q, m.Add)
	return m.Heat()
}

// inFlight are all targets, and the transactions in flight of one or of all.
func (t *Transactions) inFlight(now time.Time, target string) ([]tx.TargetState, []tx.Active) {
	targets, rows := []tx.TargetState{}, []tx.Active{}
	for _, tr := range t.tracers() {
		active, stats := tr.tracker.Active(now), tr.tracker.Stats()
		state := tr.status()
		state.InFlight, state.Finished, state.FinishedMs = len(active), stats.Finished, stats.FinishedMs
		targets = append(targets, state)
		if target == "" || target == state.Target {
			rows = append(rows, active...)
		}
	}
	return targets, rows
}

// List are the slow transactions on record that match, the newest first, and how
// many there are without the query's limit.
func (t *Transactions) List(q ring.Query) ([]tx.Summary, int) { return t.records.List(q) }

// Record is one transaction, in flight or on record; ring.ErrNotFound without it.
func (t *Transactions) Record(id string, now time.Time) (*tx.Record, error) {
	for _, tr := range t.tracers() {
		if rec := tr.tracker.Record(id, now); rec != nil {
			return rec, nil
		}
	}
	return t.records.Get(id)
}
