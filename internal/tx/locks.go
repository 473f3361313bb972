package tx

import (
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// maxLockSights bounds the sights of lock chains in one transaction.
const maxLockSights = 60

// lockSight is one sight of a lock that a transaction waits for, and of the chain
// of its owners.
type lockSight struct {
	at     time.Time
	lock   string
	owners []LockOwner
}

// Owners takes the chain of threads behind the lock that a transaction waits for:
// chain[0] owns it, chain[1] owns what chain[0] waits for.
func (t *Tracker) Owners(key Key, at time.Time, lock string, chain []jvm.Thread) {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.openOf(key)
	if o == nil || len(chain) == 0 || len(o.locks) >= maxLockSights {
		return
	}
	sight := lockSight{at: at, lock: lock}
	for i := range chain {
		sight.owners = append(sight.owners, t.owner(&chain[i]))
	}
	o.locks = append(o.locks, sight)
}

// owner describes a thread that holds a lock.
func (t *Tracker) owner(th *jvm.Thread) LockOwner {
	class, _ := t.classifier.classify(th)
	owner := LockOwner{Thread: th.Name, Class: class, Lock: th.Lock, Stack: []string{}}
	for _, f := range th.Stack {
		owner.Stack = append(owner.Stack, frameName(f))
	}
	if o := t.onThread(th.ID, th.Name); o != nil {
		owner.Transaction, owner.Route = o.id, o.route
	}
	return owner
}

// onThread is the transaction that a thread works on, nil if none.
func (t *Tracker) onThread(id int64, name string) *open {
	for _, p := range t.processors {
		if o := p.open; o != nil && (o.threadID == id && id != 0 || o.threadID == 0 && o.thread == name && name != "") {
			return o
		}
	}
	return nil
}

// lockWaits joins the sights of one lock under the same owner.
func (o *open) lockWaits(rec *Record, samples []sample) []LockWait {
	waits := []LockWait{}
	at := spans(rec, samples)
	for i, s := range samples {
		if s.lock == "" || s.owner == 0 {
			continue
		}
		if n := len(waits); n > 0 && waits[n-1].Lock == s.lock && waits[n-1].ToMs == at[i] && waits[n-1].Owners[0].Thread == s.ownerName {
			waits[n-1].ToMs = at[i+1]
			continue
		}
		waits = append(waits, LockWait{Lock: s.lock, FromMs: at[i], ToMs: at[i+1], Owners: o.ownersAt(s)})
	}
	return waits
}

// ownersAt is the chain that was seen nearest to a sample, or the owner's name
// alone.
func (o *open) ownersAt(s sample) []LockOwner {
	for _, sight := range o.locks {
		if sight.lock == s.lock && sight.owners[0].Thread == s.ownerName && !sight.at.Before(s.at) {
			return sight.owners
		}
	}
	return []LockOwner{{Thread: s.ownerName, Stack: []string{}}}
}
