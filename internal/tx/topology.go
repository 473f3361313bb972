package tx

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Topology is the servers with those they waited for, as slow transactions and those
// in flight show it. It is the answer of the API. Nothing is in it that nobody saw.
type Topology struct {
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Servers []Server  `json:"servers"`
	// Edges are those of a server with the most time first.
	Edges []Edge `json:"edges"`
}

// Server is one target.
type Server struct {
	TargetState
	// Slow is the number of transactions on record that ended from From to To, Failed of
	// those with an error, SlowMs the time that they took.
	Slow   int   `json:"slow"`
	Failed int   `json:"failed"`
	SlowMs int64 `json:"slow_ms"`
	// Inside is the part of SlowMs that belongs to no edge, in the order of charts.
	Inside []ClassTime `json:"inside"`
}

// Edge is a server's connections to one peer, or to all those of a kind that nobody
// could name.
type Edge struct {
	Target string `json:"target"`
	// Kind is that of Peer, or "client" for the time that clients took to send and read.
	Kind string `json:"kind"`
	// Address is that of Peer, empty where nobody saw it; Name is that of Peer.
	Address string `json:"address"`
	Name    string `json:"name,omitempty"`
	// Slow is the number of slow transactions that waited for it, Ms how long they did
	// together, MaxMs one of them at most. ErrorMs is the sum of their errors.
	Slow    int   `json:"slow"`
	Ms      int64 `json:"ms"`
	ErrorMs int64 `json:"error_ms"`
	MaxMs   int64 `json:"max_ms"`
	// RTTMicros is the network's round trip at last; 0 unknown.
	RTTMicros int64 `json:"rtt_us,omitempty"`
	// Evidence has those of Peer, sorted; none where only the class is known.
	Evidence []string `json:"evidence"`
	// InFlight is how many transactions wait for it now.
	InFlight int `json:"in_flight"`
}

type edgeKey struct{ target, kind, address string }

// TopologyMap builds a Topology.
type TopologyMap struct {
	from, to time.Time
	servers  map[string]*Server
	inside   map[string]map[Class]ClassTime
	edges    map[edgeKey]*Edge
}

// NewTopologyMap is one of the targets, with those that ended from from to before to.
func NewTopologyMap(from, to time.Time, targets []TargetState) *TopologyMap {
	m := &TopologyMap{from: from, to: to, servers: map[string]*Server{}, inside: map[string]map[Class]ClassTime{}, edges: map[edgeKey]*Edge{}}
	for _, t := range targets {
		m.servers[t.Target] = &Server{TargetState: t, Inside: []ClassTime{}}
	}
	return m
}

// kindClient is the kind of edge to those who sent the requests: no Peer has it.
const kindClient = "client"

// outside is the kind of edge that the time of a class belongs to, "" for time inside the
// server.
func outside(c Class) string {
	if c == ClassClient {
		return kindClient
	}
	return KindOf(c)
}

// Add counts a slow transaction, the latest first. Those of targets that are not watched
// any more are left out.
func (m *TopologyMap) Add(s *Summary) {
	server := m.servers[s.Target]
	if server == nil || s.End.Before(m.from) || !s.End.Before(m.to) {
		return
	}
	server.Slow++
	server.SlowMs += s.ElapsedMs
	if s.State == StateFailed {
		server.Failed++
	}
	named := map[string]int64{}
	for _, p := range s.Peers {
		named[p.Kind] += p.Ms
		e := m.edge(s.Target, p.Kind, p.Address)
		e.add(p.Ms, p.ErrorMs)
		e.Name = cmp.Or(e.Name, p.Name)
		e.RTTMicros = cmp.Or(e.RTTMicros, p.RTTMicros)
		if i, found := slices.BinarySearch(e.Evidence, p.Evidence); !found {
			e.Evidence = slices.Insert(e.Evidence, i, p.Evidence)
		}
	}
	for _, c := range s.Classes {
		kind := outside(c.Class)
		if kind == "" {
			m.addInside(s.Target, c)
			continue
		}
		// What no peer accounts for, and no error explains, was for one that nobody saw.
		if rest := c.Ms - named[kind]; rest > 0 && (named[kind] == 0 || rest > c.ErrorMs) {
			m.edge(s.Target, kind, "").add(rest, min(c.ErrorMs, rest))
		}
	}
}

func (m *TopologyMap) addInside(target string, c ClassTime) {
	if m.inside[target] == nil {
		m.inside[target] = map[Class]ClassTime{}
	}
	sum := m.inside[target][c.Class]
	m.inside[target][c.Class] = ClassTime{Class: c.Class, Ms: sum.Ms + c.Ms, ErrorMs: sum.ErrorMs + c.ErrorMs}
}

// AddActive counts a transaction in flight where it waits for somebody; call it after
// Add, which knows the addresses of those that have names.
func (m *TopologyMap) AddActive(a *Active) {
	kind := outside(a.Class)
	if kind == "" || m.servers[a.Target] == nil {
		return
	}
	address := a.Peer
	for key, e := range m.edges {
		if key.target == a.Target && key.kind == kind && e.Name != "" && e.Name == a.Peer {
			address = key.address // the board has the name in its place
		}
	}
	m.edge(a.Target, kind, address).InFlight++
}

func (m *TopologyMap) edge(target, kind, address string) *Edge {
	key := edgeKey{target, kind, address}
	if m.edges[key] == nil {
		m.edges[key] = &Edge{Target: target, Kind: kind, Address: address, Evidence: []string{}}
	}
	return m.edges[key]
}

func (e *Edge) add(ms, errorMs int64) {
	e.Slow++
	e.Ms += ms
	e.ErrorMs += errorMs
	e.MaxMs = max(e.MaxMs, ms)
}

// Topology is what was counted.
func (m *TopologyMap) Topology() *Topology {
	t := &Topology{From: m.from, To: m.to, Servers: []Server{}, Edges: []Edge{}}
	for _, target := range slices.Sorted(maps.Keys(m.servers)) {
		server := *m.servers[target]
		for _, c := range Classes() {
			if sum, ok := m.inside[target][c]; ok {
				server.Inside = append(server.Inside, sum)
			}
		}
		t.Servers = append(t.Servers, server)
	}
	for _, e := range m.edges {
		t.Edges = append(t.Edges, *e)
	}
	slices.SortFunc(t.Edges, func(a, b Edge) int {
		return cmp.Or(cmp.Compare(a.Target, b.Target), cmp.Compare(b.Ms, a.Ms), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Address, b.Address))
	})
	return t
}
