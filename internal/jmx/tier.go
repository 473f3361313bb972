package jmx

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	decode   func(*T, *fastjson.Value)
}

// tier is one bulk request, asked again and again, that fills a T. Whoever needs
// another bulk at another pace declares another tier. Not safe for concurrent use.
type tier[T any] struct {
	items []item[T]
	// restUntil is when each item may be asked again; the zero time means now.
	restUntil []time.Time
	// body is the encoded bulk of the items whose indexes are encoded.
	body    []byte
	encoded []int
}

func newTier[T any](items []item[T]) *tier[T] {
	return &tier[T]{items: items, restUntil: make([]time.Time, len(items))}
}

// ask sends one bulk with the items that do not rest, and puts the answers into
// result. It returns what of it the agent did not give. An error means that no
// item was answered.
func (t *tier[T]) ask(ctx context.Context, c *Client, result *T) ([]jvm.Missing, error) {
	now := time.Now()
	replies := make([]reply, len(t.items))
	var asked []int
	for i := range t.items {
		if now.Before(t.restUntil[i]) {
			replies[i] = reply{err: "left out: the agent refused every bulk with it", resting: true}
			continue
		}
		asked = append(asked, i)
	}
	parser := c.opts.Buffers.parsers.Get()
	defer c.opts.Buffers.parsers.Put(parser)
	if len(asked) > 0 {
		refused, err := t.askAround(ctx, c, parser, asked, replies)
		if err != nil {
			return nil, err
		}
		for _, i := range refused {
			t.restUntil[i] = now.Add(quarantineTime)
		}
	}
	return t.decode(now, result, replies), nil
}

// askAround fills the replies to the items asked. Where the agent refuses the bulk
// it is halved until the guilty items stand alone; they are returned, and the rest
// is answered.
func (t *tier[T]) askAround(ctx context.Context, c *Client, parser *fastjson.Parser, asked []int, replies []reply) (refused []int, err error) {
	var reason error
	var ask func(part []int) error
	ask = func(part []int) error {
		got, err := c.post(ctx, t.requests(part))
		switch {
		case err == nil:
			for k, i := range part {
				replies[i] = got[k]
			}
			return nil
		case !errors.Is(err, errRejected):
			return err
		case len(part) == 1:
			refused, reason = append(refused, part[0]), err
			replies[part[0]] = reply{err: clip(err.Error())}
			return nil
		}
		half := len(part) / 2
		return errors.Join(ask(part[:half]), ask(part[half:]))
	}
	whole, err := t.bulk(asked)
	if err != nil {
		return nil, err
	}
	got, err := c.send(ctx, parser, whole, len(asked))
	switch {
	case err == nil:
		for k, i := range asked {
			replies[i] = got[k]
		}
		return nil, nil
	case !errors.Is(err, errRejected):
		return nil, err
	}
	if len(asked) == 1 {
		return nil, rejection(err)
	}
	half := len(asked) / 2
	if err := errors.Join(ask(asked[:half]), ask(asked[half:])); err != nil {
		return nil, err
	}
	if len(refused) == len(asked) {
		// Not the items are to blame but whoever answers.
		return nil, rejection(reason)
	}
	return refused, nil
}

// bulk encodes the items, which are mostly those of the last time.
func (t *tier[T]) bulk(asked []int) ([]byte, error) {
	if t.body != nil && slices.Equal(asked, t.encoded) {
		return t.body, nil
	}
	body, err := encode(t.requests(asked))
	if err != nil {
		return nil, fmt.Errorf("encode the request: %w", err)
	}
	t.body, t.encoded = body, asked
	return body, nil
}

func (t *tier[T]) requests(indexes []int) []request {
	picked := make([]request, len(indexes))
	for k, i := range indexes {
		picked[k] = t.items[i].request
	}
	return picked
}

// decode enters one reply per item into result.
func (t *tier[T]) decode(now time.Time, result *T, replies []reply) []jvm.Missing {
	var missing []jvm.Missing
	for i := range t.items {
		it, r := &t.items[i], replies[i]
		if r.err != "" {
			if it.optional && (r.resting || r.absent()) {
				if !r.resting {
					t.restUntil[i] = now.Add(absentTime)
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
		if len(it.Attribute) > 0 && len(failures) == len(it.Attribute) {
			if it.optional {
				t.restUntil[i] = now.Add(absentTime)
			}
			continue
		}
		it.decode(result, r.value)
	}
	return missing
}

// part is what Missing calls the item.
func (r request) part() string {
	if r.Operation != "" {
		return r.MBean + "/" + r.Operation
	}
	return r.MBean
}
