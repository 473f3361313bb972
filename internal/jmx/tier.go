package jmx

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/valyala/fastjson"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

const (
	// quarantineTime is how long an item that made the agent refuse a whole bulk is
	// left out before it gets another chance.
	quarantineTime = 10 * time.Minute
	// absentTime is how long an optional item that the JVM does not have is left
	// out: a web server or a pool may start later.
	absentTime = 2 * time.Minute
)

// item is one request of a tier and how its answer enters the tier's result.
// decode meets only answers of status 200; whatever has another type than
// expected stays missing.
type item[T any] struct {
	request
	// optional items are of things that many JVMs do not have: what is absent is
	// not missing, and not asked for again at once.
	optional bool
	decode   func(*T, value)
}

// plan is what the tiers of all targets ask alike. Safe for concurrent use.
type plan[T any] struct {
	items []item[T]

	mu sync.Mutex
	// bulks are the encoded ones by the items in them, a bit each.
	bulks map[uint64]bulk
}

// maxBulks bounds the encoded bulks that are kept: few combinations occur.
const maxBulks = 256

// newPlan is one of at most 64 items.
func newPlan[T any](items []item[T]) *plan[T] {
	return &plan[T]{items: items, bulks: map[uint64]bulk{}}
}

// bulk encodes the items with the given indexes.
func (p *plan[T]) bulk(asked []int) (bulk, error) {
	var set uint64
	for _, i := range asked {
		set |= 1 << i
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if known, ok := p.bulks[set]; ok {
		return known, nil
	}
	encoded, err := encode(p.requests(asked))
	if err == nil && len(p.bulks) < maxBulks {
		p.bulks[set] = encoded
	}
	return encoded, err
}

func (p *plan[T]) requests(indexes []int) []request {
	picked := make([]request, len(indexes))
	for k, i := range indexes {
		picked[k] = p.items[i].request
	}
	return picked
}

// tier is one bulk request, asked again and again, that fills a T. Whoever needs
// another bulk at another pace declares another plan. Not safe for concurrent use.
type tier[T any] struct {
	*plan[T]
	// began is when the tier was made, and restUntil how long after that each item may be
	// asked again: a third of the memory of times, of which a thousand targets have many.
	began     time.Time
	restUntil []time.Duration
	// alike says that answers differ from each other by their numbers, mostly; shape
	// is the one that the last answer had, if it is known.
	alike bool
	shape *shape
	// answered is how many items the last answer had something for.
	answered int
}

func newTier[T any](p *plan[T]) *tier[T] {
	return &tier[T]{plan: p, began: time.Now(), restUntil: make([]time.Duration, len(p.items))}
}

// alwaysAlike is the tier, known for answers that differ by their numbers, mostly.
func (t *tier[T]) alwaysAlike() *tier[T] {
	t.alike = true
	return t
}

// ask sends one bulk with the items that do not rest, and puts the answers into
// result. It returns what of it the agent did not give. An error means that no
// item was answered.
func (t *tier[T]) ask(ctx context.Context, c *Client, result *T) ([]jvm.Missing, error) {
	now := time.Since(t.began)
	asked := make([]int, 0, len(t.items))
	for i := range t.items {
		if now >= t.restUntil[i] {
			asked = append(asked, i)
		}
	}
	a := &answer{buffers: c.opts.Buffers}
	defer a.free()
	var replies []reply
	if len(asked) > 0 {
		var refused []int
		var err error
		if replies, refused, err = t.askAround(ctx, c, a, asked); err != nil {
			return nil, err
		}
		for _, i := range refused {
			t.restUntil[i] = now + quarantineTime
		}
	}
	return t.decode(now, result, asked, replies), nil
}

// askAround gives the replies to the items asked. Where the agent refuses the bulk
// it is halved until the guilty items stand alone; they are returned, and the rest
// is answered.
func (t *tier[T]) askAround(ctx context.Context, c *Client, a *answer, asked []int) (replies []reply, refused []int, err error) {
	whole, err := t.bulk(asked)
	if err != nil {
		return nil, nil, err
	}
	replies, err = t.send(ctx, c, a, whole, len(asked))
	switch {
	case err == nil:
		return replies, nil, nil
	case !errors.Is(err, errRejected):
		return nil, nil, err
	case len(asked) == 1:
		return nil, nil, rejection(err)
	}
	return t.askHalves(ctx, c, asked)
}

// askHalves is askAround for items whose bulk was refused.
func (t *tier[T]) askHalves(ctx context.Context, c *Client, asked []int) (replies []reply, refused []int, err error) {
	var reason error
	var ask func(part []int) error
	ask = func(part []int) error {
		got, err := c.post(ctx, t.requests(part))
		switch {
		case err == nil:
			replies = append(replies, got...)
			return nil
		case !errors.Is(err, errRejected):
			return err
		case len(part) == 1:
			refused, reason = append(refused, part[0]), err
			replies = append(replies, reply{err: clip(err.Error())})
			return nil
		}
		half := len(part) / 2
		if err := ask(part[:half]); err != nil {
			return err
		}
		return ask(part[half:])
	}
	half := len(asked) / 2
	if err := ask(asked[:half]); err != nil {
		return nil, nil, err
	}
	if err := ask(asked[half:]); err != nil {
		return nil, nil, err
	}
	if len(refused) == len(asked) {
		// Not the items are to blame but whoever answers.
		return nil, nil, rejection(reason)
	}
	return replies, refused, nil
}

// send sends the bulk of n items and takes the answer apart.
func (t *tier[T]) send(ctx context.Context, c *Client, a *answer, b bulk, n int) ([]reply, error) {
	if err := c.send(ctx, a, b); err != nil {
		return nil, err
	}
	if t.alike {
		return a.alike(n, &t.shape)
	}
	return a.replies(n)
}

// decode enters the replies to the items asked at a time since the tier began, one each, into
// result; all others are at rest.
func (t *tier[T]) decode(now time.Duration, result *T, asked []int, replies []reply) []jvm.Missing {
	var missing []jvm.Missing
	t.answered = 0
	for i := range t.items {
		it, r := &t.items[i], reply{err: "left out: the agent refused every bulk with it", resting: true}
		if len(asked) > 0 && asked[0] == i {
			r, asked, replies = replies[0], asked[1:], replies[1:]
		}
		if r.err == "" {
			r.err = it.unfit(r.value)
		}
		if r.err != "" {
			if it.optional && (r.resting || r.absent()) {
				if !r.resting {
					t.restUntil[i] = now + absentTime
				}
				continue
			}
			missing = append(missing, jvm.Missing{Part: it.part(), Reason: r.err})
			continue
		}
		failures := failedAttributes(r.value, it.Attribute)
		if !it.optional {
			for _, f := range failures {
				missing = append(missing, jvm.Missing{Part: it.MBean + "/" + f.attribute, Reason: f.reason})
			}
		}
		// 2.x answers status 200 for an MBean that does not exist, with an error
		// in place of every attribute.
		lacks := it.lacks(r.value)
		if lacks && !it.optional {
			missing = append(missing, jvm.Missing{Part: it.part(), Reason: "none of the attributes that were asked is in the answer"})
		}
		if lacks || len(it.Attribute) > 0 && len(failures) == len(it.Attribute) {
			if it.optional {
				t.restUntil[i] = now + absentTime
			}
			continue
		}
		t.answered++
		it.decode(result, r.value)
	}
	return missing
}

// unfit says why a value is no answer to the request; empty if it may be one. Without
// it, what is of another shape would be left out without a word.
func (r request) unfit(v value) string {
	switch {
	case r.Type != "read":
		return ""
	case v.kind() != fastjson.TypeObject:
		return fmt.Sprintf("a JSON %s where attributes were asked", v.kind())
	case strings.Contains(r.MBean, "*") && v.fields() > maxBeans:
		return fmt.Sprintf("%d MBeans match, more than %d: none of them is taken", v.fields(), maxBeans)
	}
	return ""
}

// lacks tells an answer that has none of the attributes asked, or null for each.
func (r request) lacks(v value) bool {
	if len(r.Attribute) == 0 {
		return false
	}
	lacks := true
	of := func(bean value) {
		lacks = lacks && !slices.ContainsFunc(r.Attribute, func(name string) bool { return bean.get(name).kind() != fastjson.TypeNull })
	}
	if strings.Contains(r.MBean, "*") {
		v.each(func(_ []byte, bean value) { of(bean) })
	} else {
		of(v)
	}
	return lacks
}

// part is what Missing calls the item.
func (r request) part() string {
	if r.Operation != "" {
		return r.MBean + "/" + r.Operation
	}
	return r.MBean
}
