package agent

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/database"
	"github.com/apm-sidecar/apm-sidecar/internal/host"
	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/internal/tx"
)

const (
	// peerBudget bounds the waits that are followed to their sockets at one look.
	peerBudget = 64
	// startSlack is how much older than its transaction a statement may seem.
	startSlack = 100 * time.Millisecond
)

// Database is a login for monitoring.
type Database interface {
	Name() string
	Dialect() tx.Dialect
	// Sessions are those at the other ends of sockets, by the sockets' local ends.
	Sessions(ctx context.Context, sockets []jvm.Socket) (map[netip.AddrPort]database.Session, error)
}

// name finds out whom the threads wait for that wait at a socket: the socket that the
// system shows the thread on, the database session at its other end, and what that one
// does. It asks the JVM nothing. Only what held while the thread did not run is told:
// its time on a processor is the same before and after.
func (tr *tracer) name(ctx context.Context) {
	waits := tr.tracker.Waits(time.Now())
	waits = waits[:min(len(waits), peerBudget)]
	if len(waits) == 0 || tr.process.process == nil {
		return
	}
	sockets, err := tr.process.process.Sockets(marks(waits))
	tr.blind = errors.Is(err, host.ErrNoRight)
	var queries []tx.Wait
	for _, w := range waits {
		s, ok := sockets[w.ThreadID]
		if !ok {
			continue
		}
		if w.Peer == nil {
			tr.tracker.Named(w, tx.Sight{Socket: s})
		}
		if w.Class == tx.ClassSQL {
			queries = append(queries, w)
		}
	}
	for _, db := range tr.databases {
		tr.nameQueries(ctx, db, queries, sockets)
	}
}

// marks are the times on a processor by thread.
func marks(waits []tx.Wait) map[int64]int64 {
	cpu := make(map[int64]int64, len(waits))
	for _, w := range waits {
		cpu[w.ThreadID] = w.CPUNs
	}
	return cpu
}

// nameQueries asks one database for the statements that threads wait for.
func (tr *tracer) nameQueries(ctx context.Context, db Database, queries []tx.Wait, sockets map[int64]jvm.Socket) {
	asked := make([]jvm.Socket, len(queries))
	for i, w := range queries {
		asked[i] = sockets[w.ThreadID]
	}
	sessions, err := db.Sessions(ctx, asked)
	if err != nil && ctx.Err() == nil {
		tr.log.Warn("no statements from a database", "error", err)
	}
	for i, w := range queries {
		session, ok := sessions[asked[i].Local]
		// A statement older than the transaction is none of its, whatever the addresses
		// say; one that has ended is no wait any more.
		if !ok || !session.Active || session.Age > w.Age+startSlack || !tr.process.process.Still(w.ThreadID, w.CPUNs) {
			continue
		}
		tr.tracker.Named(w, tx.Sight{Socket: asked[i], Name: db.Name(), SQL: session.Query, Dialect: db.Dialect(), SQLWait: session.Wait})
	}
}
