package series

import "github.com/apm-sidecar/apm-sidecar/internal/jvm"

// maxNames bounds what is remembered of a JVM by the names it gives, which may be others in
// each poll.
const maxNames = 1000

// churn adds up what a JVM allocates and what survives into its old region, from
// one poll to the next.
type churn struct {
	seen bool
	// used is the heap in use at the last poll, collections the number of each
	// collector's until then, by name.
	used        int64
	collections map[string]int64

	allocated, promoted float64
	// generations is true once a young collector has told about an old pool.
	generations bool
}

// churned are the totals, missing where the JVM does not tell.
type churned struct{ allocated, promoted jvm.Opt[float64] }

// observe adds a poll. JVMs from 21 on count what they allocate. For others it is
// what the heap grew by between the polls, and what the collections between freed;
// of several in a row only the last is seen, and stands for the others.
func (c *churn) observe(s *jvm.Snapshot) churned {
	reclaimed, promoted := c.collect(s)
	var out churned
	if exact, ok := s.AllocatedBytes.Get(); ok {
		out.allocated = jvm.Some(float64(exact))
	} else if s.Memory != nil {
		if used, ok := s.Memory.Heap.Used.Get(); ok {
			if c.seen {
				c.allocated += max(0, float64(used-c.used)+reclaimed)
			}
			c.used, c.seen = used, true
			out.allocated = jvm.Some(c.allocated)
		}
	}
	c.promoted += promoted
	if c.generations {
		out.promoted = jvm.Some(c.promoted)
	}
	return out
}

// collect is what the collections since the last poll freed in the whole heap, and
// what the young ones among them moved to the old region. How many there were is known of
// collectors that were seen before.
func (c *churn) collect(s *jvm.Snapshot) (reclaimed, promoted float64) {
	if c.collections == nil || len(c.collections) > maxNames {
		c.collections = map[string]int64{}
	}
	for _, gc := range s.GCs {
		n, ok := gc.Count.Get()
		if !ok {
			continue
		}
		before, seen := c.collections[gc.Name]
		c.collections[gc.Name] = n
		if gc.Last == nil {
			continue
		}
		since := float64(max(0, n-before))
		for _, p := range gc.Last.Pools {
			old := isOld(s.Pools, p.Pool)
			c.generations = c.generations || (old && gc.Generation == jvm.GenerationYoung)
			if !seen {
				continue
			}
			reclaimed += since * float64(p.BeforeBytes-p.AfterBytes)
			if old && gc.Generation == jvm.GenerationYoung {
				promoted += since * float64(max(0, p.AfterBytes-p.BeforeBytes))
			}
		}
	}
	return reclaimed, promoted
}

// isOld tells whether a pool, by its name, is the old region or part of it.
func isOld(pools []jvm.Pool, name string) bool {
	for i := range pools {
		if pools[i].Name == name {
			return pools[i].Kind == jvm.PoolOld
		}
	}
	return false
}
