package tx_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/tx"
)

func TestTopology(t *testing.T) {
	from := time.Unix(1_000_000, 0)
	at := from.Add(time.Minute)
	m := tx.NewTopologyMap(from, from.Add(time.Hour), []tx.TargetState{{Target: "shop/b"}, {Target: "shop/a", InFlight: 2}})
	db := tx.Peer{Kind: "database", Address: "10.0.0.5:5432", Name: "orders", Ms: 2900, ErrorMs: 200, RTTMicros: 300, Evidence: "socket"}
	m.Add(&tx.Summary{
		Target: "shop/a", End: at, ElapsedMs: 4000, State: tx.StateFailed, Peers: []tx.Peer{db},
		Classes: []tx.ClassTime{{Class: tx.ClassSQL, Ms: 3000, ErrorMs: 200}, {Class: tx.ClassCPU, Ms: 1000, ErrorMs: 50}},
	})
	db.Ms, db.RTTMicros, db.Evidence = 1000, 0, "pool-url"
	m.Add(&tx.Summary{
		Target: "shop/a", End: at, ElapsedMs: 5000, State: tx.StateFinished, Peers: []tx.Peer{db},
		Classes: []tx.ClassTime{{Class: tx.ClassSQL, Ms: 3000, ErrorMs: 200}, {Class: tx.ClassHTTP, Ms: 1500, ErrorMs: 100}, {Class: tx.ClassCPU, Ms: 500, ErrorMs: 50}},
	})
	m.Add(&tx.Summary{Target: "shop/a", End: from.Add(-1), ElapsedMs: 9000})
	m.Add(&tx.Summary{Target: "gone", End: at, ElapsedMs: 9000})
	m.AddActive(&tx.Active{Target: "shop/a", Class: tx.ClassSQL, Peer: "orders"})
	m.AddActive(&tx.Active{Target: "shop/a", Class: tx.ClassMessaging})
	m.AddActive(&tx.Active{Target: "shop/a", Class: tx.ClassCPU})

	top := m.Topology()
	require.Len(t, top.Servers, 2)
	a := top.Servers[0]
	assert.Equal(t, "shop/a", a.Target)
	assert.Equal(t, 2, a.Slow)
	assert.Equal(t, 1, a.Failed)
	assert.Equal(t, int64(9000), a.SlowMs)
	assert.Equal(t, []tx.ClassTime{{Class: tx.ClassCPU, Ms: 1500, ErrorMs: 100}}, a.Inside)
	assert.NotNil(t, top.Servers[1].Inside)
	assert.Equal(t, []tx.Edge{
		{Target: "shop/a", Kind: "database", Address: "10.0.0.5:5432", Name: "orders", Slow: 2, Ms: 3900, ErrorMs: 400, MaxMs: 2900, RTTMicros: 300, Evidence: []string{"pool-url", "socket"}, InFlight: 1},
		{Target: "shop/a", Kind: "database", Slow: 1, Ms: 2000, ErrorMs: 200, MaxMs: 2000, Evidence: []string{}},
		{Target: "shop/a", Kind: "http", Slow: 1, Ms: 1500, ErrorMs: 100, MaxMs: 1500, Evidence: []string{}},
		{Target: "shop/a", Kind: "messaging", Evidence: []string{}, InFlight: 1},
	}, top.Edges, "100 ms that no peer accounts for are within the error")
}
