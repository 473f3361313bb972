package agent

import (
	"context"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/tx"
)

const (
	// resolveEvery is the least time between two lists of all threads.
	resolveEvery = 2 * time.Second
	// maxNewThreads bounds the threads whose names are asked for at once.
	maxNewThreads = 2000
)

// threadNames knows the ids of threads by their names. A thread keeps the name that
// it had when it was first seen: the server knows a worker that the application
// renames by its old name.
type threadNames struct {
	byName map[string]int64
	byID   map[int64]string
	next   time.Time
}

func newThreadNames() threadNames {
	return threadNames{byName: map[string]int64{}, byID: map[int64]string{}}
}

// resolve fills in the ids that are not known, and returns what asking cost the JVM.
func (n *threadNames) resolve(ctx context.Context, client RequestClient, wanted []tx.Wanted) (time.Duration, error) {
	missing := false
	for i := range wanted {
		if wanted[i].ThreadID == 0 {
			wanted[i].ThreadID = n.byName[wanted[i].Thread]
		}
		missing = missing || wanted[i].ThreadID == 0
	}
	now := time.Now()
	if !missing || now.Before(n.next) {
		return 0, nil
	}
	n.next = now.Add(resolveEvery)
	cost, err := n.refresh(ctx, client)
	for i := range wanted {
		if wanted[i].ThreadID == 0 {
			wanted[i].ThreadID = n.byName[wanted[i].Thread]
		}
	}
	return cost, err
}

// refresh asks for the names of threads that are new.
func (n *threadNames) refresh(ctx context.Context, client RequestClient) (time.Duration, error) {
	live, err := client.ThreadIDs(ctx)
	if err != nil {
		return 0, err
	}
	alive := make(map[int64]bool, len(live))
	var unknown []int64
	for _, id := range live {
		alive[id] = true
		if _, ok := n.byID[id]; !ok && len(unknown) < maxNewThreads {
			unknown = append(unknown, id)
		}
	}
	for id := range n.byID {
		if !alive[id] {
			n.forget(id)
		}
	}
	look, err := client.Threads(ctx, unknown, nil, 0)
	if err != nil {
		return 0, err
	}
	for id, th := range look.States {
		n.byID[id], n.byName[th.Name] = th.Name, id
	}
	return costOf(look.CPUNs, look.Took), nil
}

// forget drops a thread that has ended.
func (n *threadNames) forget(id int64) {
	if name := n.byID[id]; n.byName[name] == id {
		delete(n.byName, name)
	}
	delete(n.byID, id)
}
