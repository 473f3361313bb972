package agent

import (
	"context"
	"slices"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/internal/tx"
)

const (
	// maxNewThreads bounds the threads whose names are asked for at once: the
	// youngest of those not known yet.
	maxNewThreads = 500
	// hopelessFor is how long a name is not looked for again that no thread has: a
	// virtual thread is in no list.
	hopelessFor = 30 * time.Second
)

// threadNames knows the ids of threads by their names. A thread keeps the name that
// it had when it was first seen: the server knows a worker that the application
// renames by its old name.
type threadNames struct {
	byName map[string]int64
	// workers are the threads that were seen to handle requests, by name.
	workers map[string]int64
	byID    map[int64]string
	// hopeless is until when a name is not looked for.
	hopeless map[string]time.Time
}

func newThreadNames() threadNames {
	return threadNames{byName: map[string]int64{}, workers: map[string]int64{}, byID: map[int64]string{}, hopeless: map[string]time.Time{}}
}

// resolve fills in the ids that are not known, and returns what asking cost the JVM.
func (n *threadNames) resolve(ctx context.Context, client RequestClient, wanted []tx.Wanted) (time.Duration, error) {
	now := time.Now()
	for name, until := range n.hopeless {
		if now.After(until) {
			delete(n.hopeless, name)
		}
	}
	if n.fill(wanted) == 0 {
		return 0, nil
	}
	cost, err := n.refresh(ctx, client)
	if err != nil {
		return cost, err
	}
	n.fill(wanted)
	for _, w := range wanted {
		if w.ThreadID == 0 {
			n.hopeless[w.Thread] = now.Add(hopelessFor)
		}
	}
	return cost, nil
}

// fill fills in the ids that are known and returns how many are worth asking for.
func (n *threadNames) fill(wanted []tx.Wanted) (missing int) {
	for i := range wanted {
		if wanted[i].ThreadID == 0 {
			wanted[i].ThreadID = n.byName[wanted[i].Thread]
		}
		if _, hopeless := n.hopeless[wanted[i].Thread]; wanted[i].ThreadID == 0 && !hopeless {
			missing++
		}
	}
	return missing
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
		if _, ok := n.byID[id]; !ok {
			unknown = append(unknown, id)
		}
	}
	slices.Sort(unknown)
	unknown = unknown[max(0, len(unknown)-maxNewThreads):]
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

// maxWorkers bounds the workers whose use of the processor is asked for at each look.
const maxWorkers = 1000

// employ notes the threads that handle requests now.
func (n *threadNames) employ(r *jvm.Requests) {
	for _, row := range r.Processors {
		if id := n.byName[row.Thread]; id != 0 && len(n.workers) < maxWorkers {
			n.workers[row.Thread] = id
		}
	}
}

// virtual tells whether the JVM runs virtual threads: it has a thread of its own for them,
// in Java 21 from the first timed wait on, from 24 on from the first such thread on
// (java.lang.VirtualThread).
func (n *threadNames) virtual() bool {
	return n.byName["VirtualThread-unparker"] != 0 || n.byName["VirtualThread-unblocker"] != 0
}

// forget drops a thread that has ended.
func (n *threadNames) forget(id int64) {
	if name := n.byID[id]; n.byName[name] == id {
		delete(n.byName, name)
		delete(n.workers, name)
	}
	delete(n.byID, id)
}
