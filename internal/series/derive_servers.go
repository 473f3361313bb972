package series

import (
	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

func (b *builder) servers(s jvm.Servers, w *wraps) {
	for _, c := range s.Connectors {
		own := b.with(Label{"connector", c.Name}, Label{"server", c.Server})
		requests, errors := c.Requests, c.Errors
		if c.Server == "tomcat" {
			requests = w.unwrap("requests\x00"+c.Name, requests)
			errors = w.unwrap("errors\x00"+c.Name, errors)
		}
		b.count(own, "appserver_requests_total", requests, 1)
		b.count(own, "appserver_request_errors_total", errors, 1)
		b.count(own, "appserver_request_duration_seconds_sum", c.BusyNs, 1e9)
		b.count(own, "appserver_request_duration_max_seconds", c.MaxNs, 1e9)
		b.count(own, "appserver_received_bytes_total", c.ReceivedBytes, 1)
		b.count(own, "appserver_sent_bytes_total", c.SentBytes, 1)
		b.count(own, "appserver_connections_current", c.Connections, 1)
		b.count(own, "appserver_connections_keepalive", c.KeepAlive, 1)
		b.count(own, "appserver_connections_max", c.Most, 1)
	}
	for _, p := range s.WorkerPools {
		own := b.with(Label{"pool", p.Name}, Label{"server", p.Server})
		b.count(own, "appserver_threads_current", p.Current, 1)
		b.count(own, "appserver_threads_busy", p.Busy, 1)
		b.count(own, "appserver_threads_max", p.Max, 1)
		b.count(own, "appserver_queue_size", p.Queued, 1)
	}
	for _, a := range s.Sessions {
		own := b.with(Label{"context", a.Context}, Label{"server", a.Server}, Label{"vhost", a.Host})
		b.count(own, "appserver_sessions_active", a.Active, 1)
		b.count(own, "appserver_sessions_created_total", a.Created, 1)
		b.count(own, "appserver_sessions_expired_total", a.Expired, 1)
		b.count(own, "appserver_sessions_rejected_total", w.unwrap("rejected\x00"+a.Host+"\x00"+a.Context, a.Rejected), 1)
	}
	b.jdbcPools(s.JDBCPools)
}

func (b *builder) jdbcPools(pools []jvm.JDBCPool) {
	for _, p := range pools {
		kind, pool := Label{"kind", p.Kind}, Label{"pool", p.Name}
		own := b.with(kind, pool)
		b.count(b.with(kind, pool, Label{"state", "used"}), "jdbc_pool_connections", p.Used, 1)
		b.count(b.with(kind, pool, Label{"state", "idle"}), "jdbc_pool_connections", p.Idle, 1)
		b.count(own, "jdbc_pool_connections_max", p.Max, 1)
		b.count(own, "jdbc_pool_connections_min_idle", p.MinIdle, 1)
		b.count(own, "jdbc_pool_connections_max_idle", p.MaxIdle, 1)
		b.count(own, "jdbc_pool_pending_requests", p.Pending, 1)
		b.count(own, "jdbc_pool_borrowed_total", p.Borrowed, 1)
		b.count(own, "jdbc_pool_returned_total", p.Returned, 1)
		b.count(own, "jdbc_pool_created_total", p.Created, 1)
		b.count(own, "jdbc_pool_destroyed_total", p.Destroyed, 1)
		b.count(own, "jdbc_pool_abandoned_total", p.Dropped, 1)
		b.count(own, "jdbc_pool_borrow_wait_mean_seconds", p.BorrowMeanMs, 1000)
		b.count(own, "jdbc_pool_borrow_wait_max_seconds", p.BorrowMaxMs, 1000)
	}
}

// wraps carries counters of 32 bits past their end. The zero value is ready.
type wraps struct{ last map[string]wrapped }

// wrapped is a counter's last 32 bits and what its wraps add.
type wrapped struct{ bits, base int64 }

// unwrap is the counter with the wraps since it was first seen. A counter that
// falls by less than half of its range was reset, and begins anew.
func (w *wraps) unwrap(key string, v jvm.Opt[int64]) jvm.Opt[int64] {
	bits, ok := v.Get()
	if !ok {
		return v
	}
	if w.last == nil || len(w.last) >= maxNames {
		w.last = map[string]wrapped{}
	}
	now := wrapped{bits: bits, base: w.last[key].base}
	switch fell := w.last[key].bits - bits; {
	case fell > 1<<31:
		now.base += 1 << 32
	case fell > 0:
		now.base = 0
	}
	w.last[key] = now
	return jvm.Some(now.base + bits)
}
