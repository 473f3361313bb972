package scan

import (
	"sync"
	"time"
)

const (
	// phases is how many times the size of the dump a scan counts as work: reading
	// objects, resolving references, and all that follows.
	phases = 3
	// sayEvery is the least time between two reports of progress of one phase.
	sayEvery = 100 * time.Millisecond
)

// progress joins the progress of all phases into one.
type progress struct {
	to     func(phase string, done, total int64)
	before int64 // work done before the dump itself is read

	mu    sync.Mutex // guards total as well, while a dump is inflated on all cores
	total int64
	last  time.Time
	most  int64
	now   string // the phase that was reported last
}

// say reports done bytes of work, at most every sayEvery but where a phase begins, and never
// less than before.
func (p *progress) say(phase string, done int64) {
	if p.to == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	done += p.before
	if now := time.Now(); done >= p.most && (now.Sub(p.last) >= sayEvery || phase != p.now || done == p.total) {
		p.last, p.most, p.now = now, done, phase
		p.to(phase, done, p.total)
	}
}

// phase returns a function that reports a phase of its own total.
func (p *progress) phase(name string, from, parts int64) func(done, total int64) {
	return func(done, total int64) {
		p.mu.Lock()
		if p.total == 0 {
			p.total = total * (1 + 4*phases) // a guess until the dump is inflated
		}
		p.mu.Unlock()
		p.say(name, from+done/parts)
	}
}

// build returns the function that heap.Build reports to. The phases follow each
// other, each over size bytes.
func (p *progress) build(size int64) func(phase string, done, total int64) {
	var mu sync.Mutex
	seen := map[string]int64{}
	return func(phase string, done, _ int64) {
		mu.Lock()
		from, ok := seen[phase]
		if !ok {
			from = int64(len(seen)) * size
			seen[phase] = from
		}
		mu.Unlock()
		p.say(phase, from+done)
	}
}
