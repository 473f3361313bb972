package tx

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// The kinds of a Peer.
const (
	KindDatabase  = "database"
	KindHTTP      = "http"
	KindMessaging = "messaging"
	KindStore     = "store"
	KindTCP       = "tcp"
)

// EvidenceSocket is the proof of what the system and the database told while the
// thread did not run: the socket it waited on, and the database session at the other
// end.
const EvidenceSocket = "socket"

// KindOf is the kind of peer that a class of waits is for, "" where it is for none.
func KindOf(c Class) string {
	switch c {
	case ClassSQL:
		return KindDatabase
	case ClassHTTP:
		return KindHTTP
	case ClassMessaging:
		return KindMessaging
	case ClassStore:
		return KindStore
	case ClassNetwork:
		return KindTCP
	}
	return ""
}

// Wait is a transaction whose thread, when it was last looked at, waited for somebody
// at the other end of a connection, and nobody has said for whom.
type Wait struct {
	Key      Key
	ThreadID int64
	// CPUNs is the thread's time on a processor at that look: while it is the same,
	// the thread is in the same wait.
	CPUNs int64
	Class Class
	// Age is how long the transaction has been in flight, at most.
	Age time.Duration
	// Peer is the other end where that is known, and only the statement is not.
	Peer *jvm.Socket
}

// Waits are the waits to be named, the oldest transaction first.
func (t *Tracker) Waits(now time.Time) []Wait {
	t.mu.Lock()
	defer t.mu.Unlock()
	var waits []Wait
	for _, p := range t.processors {
		o := p.open
		if o == nil || o.thread == "" || o.gone > 0 || len(o.samples) == 0 {
			continue
		}
		last := o.samples[len(o.samples)-1]
		cpuNs, known := last.mark.cpuNs.Get()
		if !known || KindOf(last.class) == "" || last.sight != nil && (last.sight.sql != "" || last.class != ClassSQL) {
			continue
		}
		w := Wait{Key: o.key, ThreadID: o.threadID, CPUNs: cpuNs, Class: last.class, Age: now.Sub(o.startLo)}
		if last.sight != nil {
			w.Peer = &last.sight.socket
		}
		waits = append(waits, w)
	}
	slices.SortFunc(waits, func(a, b Wait) int {
		return cmp.Or(cmp.Compare(b.Age, a.Age), cmp.Compare(a.Key.Processor, b.Key.Processor))
	})
	return waits
}

// Sight is what a wait was seen to be for.
type Sight struct {
	Socket jvm.Socket
	// Name is what people call the peer, empty where nobody does.
	Name string
	// SQL is the statement as the database told it, empty where it is not known;
	// Dialect is the database's. SQLWait is what the database itself waits for.
	SQL     string
	Dialect Dialect
	SQLWait string
}

// sight is a Sight as samples keep it.
type sight struct {
	socket          jvm.Socket
	name, sql, wait string
}

// peer is what people call it.
func (s *sight) peer() string { return cmp.Or(s.name, s.socket.Remote.String()) }

// Named says what a wait is for. The caller has made sure that the thread had not run
// since the look that the wait is of, after it saw what it saw.
func (t *Tracker) Named(w Wait, s Sight) {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.openOf(w.Key)
	if o == nil || len(o.samples) == 0 {
		return
	}
	last := &o.samples[len(o.samples)-1]
	if o.threadID != w.ThreadID || last.mark.cpuNs != jvm.Some(w.CPUNs) || last.class != w.Class {
		return
	}
	named := &sight{socket: s.Socket, name: s.Name, sql: NormaliseSQL(s.SQL, s.Dialect), wait: s.SQLWait}
	before := last.sight
	last.sight = named
	// What the thread waited for all the time since it last ran is the same.
	for i := len(o.samples) - 1; i > 0 && o.samples[i].same && o.samples[i-1].sight == before; i-- {
		o.samples[i-1].sight = named
	}
}

// share is the part of a class's time that one peer or one statement has.
type share struct {
	ms float64
	// errorMs is the class's part of the error, doubtMs what others of the class may have had
	// of ms, or this one of theirs; endsMs is what lies beyond the first and the last look.
	errorMs, doubtMs, endsMs float64
	sights                   []*sight
	class                    Class
	waits                    int
}

// shares divides the time of each class among those that name tells of a sample, ""
// for none: in proportion to the time around the samples. Where the name changes
// between two samples others may have come and gone between them: each has half of that
// time, and may have had none or all of it.
func shares(rec *Record, samples []sample, name func(sample) string) map[string]*share {
	ofClass, byName := map[Class]float64{}, map[string]*share{}
	at := spans(rec, samples)
	for i, s := range samples {
		ofClass[s.class] += float64(at[i+1] - at[i])
	}
	for i, s := range samples {
		n := name(s)
		if n == "" {
			continue
		}
		sh := byName[n]
		if sh == nil {
			sh = &share{class: s.class}
			byName[n] = sh
		}
		sh.ms += float64(at[i+1] - at[i])
		if i == 0 {
			sh.endsMs += msBetween(rec.Start, s.at)
		}
		if i == len(samples)-1 {
			sh.endsMs += msBetween(s.at, rec.End())
		}
		sh.sights = append(sh.sights, s.sight)
		if !s.same {
			sh.waits++
		}
		for _, j := range []int{i - 1, i + 1} {
			if j >= 0 && j < len(samples) && samples[j].class == s.class && name(samples[j]) != n {
				sh.doubtMs += math.Abs(float64(samples[j].at.Sub(s.at))) / float64(time.Millisecond) / 2
			}
		}
	}
	for _, sh := range byName {
		for _, c := range rec.Classes {
			if c.Class == sh.class && ofClass[c.Class] > 0 {
				part := sh.ms / ofClass[c.Class]
				sh.ms = part * float64(c.Ms)
				sh.errorMs = part * float64(c.ErrorMs)
				sh.doubtMs += max(0, 1-part) * sh.endsMs
			}
		}
	}
	return byName
}

func (s *share) times() (ms, errorMs int64) {
	return int64(math.Round(s.ms)), int64(math.Ceil(math.Hypot(s.errorMs, s.doubtMs)))
}

// peers are those that the samples were seen to wait for, most time first.
func peers(rec *Record, samples []sample) []Peer {
	out := []Peer{}
	for _, sh := range shares(rec, samples, sample.peer) {
		p := Peer{Kind: KindOf(sh.class), Evidence: EvidenceSocket, Waits: sh.waits}
		p.Ms, p.ErrorMs = sh.times()
		for _, s := range sh.sights {
			p.Address = s.socket.Remote.String()
			p.Name = cmp.Or(s.name, p.Name)
			p.RTTMicros = cmp.Or(s.socket.RTT.Microseconds(), p.RTTMicros)
			p.UnansweredMs = max(p.UnansweredMs, s.socket.Unanswered.Milliseconds())
		}
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b Peer) int {
		return cmp.Or(cmp.Compare(b.Ms, a.Ms), cmp.Compare(a.Address, b.Address), cmp.Compare(a.Kind, b.Kind))
	})
	return out
}

// statements are those that the samples were seen to wait for, most time first.
func statements(rec *Record, samples []sample) []SQL {
	out := []SQL{}
	for _, sh := range shares(rec, samples, sample.statement) {
		last := sh.sights[len(sh.sights)-1]
		q := SQL{Text: last.sql, Peer: last.socket.Remote.String(), Seen: sh.waits, Evidence: EvidenceSocket}
		q.Ms, q.ErrorMs = sh.times()
		for _, s := range sh.sights {
			q.Wait = cmp.Or(s.wait, q.Wait)
		}
		out = append(out, q)
	}
	slices.SortFunc(out, func(a, b SQL) int { return cmp.Or(cmp.Compare(b.Ms, a.Ms), cmp.Compare(a.Text, b.Text)) })
	return out
}

// peer is what tells apart the peers of samples, "" without one.
func (s sample) peer() string {
	if s.sight == nil {
		return ""
	}
	return string(s.class) + " " + s.sight.socket.Remote.String()
}

// statement is what tells apart the statements of samples, "" without one.
func (s sample) statement() string {
	if s.sight == nil || s.sight.sql == "" {
		return ""
	}
	return s.sight.socket.Remote.String() + " " + s.sight.sql
}
