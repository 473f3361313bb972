package finding

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// crowdFinding words the verdict on threads that never end. by is who has their makers,
// and path the way to most of these. Errors: that of ctx.
func (h *Heap) crowdFinding(ctx context.Context, c *crowd, by holder, path *Path) (Finding, error) {
	sample := c.threads[0]
	infos, err := h.ThreadInfos(ctx, []heap.ObjID{sample})
	if err != nil {
		return Finding{}, err
	}
	t := thread{ThreadInfo: infos[sample]}
	t.Stack, _ = h.stackOf(sample)
	bytes, err := h.retainedTogether(slices.Values(slices.Concat(c.threads, c.makers, h.queuesOf(c))))
	if err != nil {
		return Finding{}, err
	}
	loader, err := h.contextLoader(ctx, sample)
	if err != nil {
		return Finding{}, err
	}
	n, at := int64(len(c.threads)), t.own()
	name, in := clip(c.pattern, 60), ""
	if at != nil {
		in = short(at.Class) + "." + at.Method
	}
	f := Finding{
		Kind: "thread-leak", Confidence: ConfidenceHigh,
		Culprit: Culprit{Class: c.culprit(by, at), Field: by.field, Thread: c.pattern},
		Objects: n, Bytes: bytes,
		Fingerprint: fingerprint(c.mark(in)...),
		Evidence: Evidence{
			Path: path, Stack: t.stack(),
			Facts:   []Fact{fact("threads", "%s named %q, one of them %s", unit.Count(n), c.pattern, cmp.Or(t.State, "in an unknown state"))},
			Refutes: "a later dump, with nothing to do, in which these threads are gone",
		},
	}
	if !c.lost {
		f.Confidence = ConfidenceMedium // a program may mean to have so many
	}
	c.word(&f, name, in)
	if in != "" && c.maker != byClient && c.maker != byNobody {
		f.Summary += fmt.Sprintf(" One of them is in %s.", in)
	}
	if by.String() != "" {
		f.Summary += fmt.Sprintf(" Most are held by %s%s.", by, threadOf(by))
	}
	f.Summary += fmt.Sprintf(" They retain %s; each has a stack outside of the heap, too.", unit.Bytes(bytes))
	if len(c.makers) > 0 {
		f.Evidence.Facts = append(f.Evidence.Facts, fact("belong to", "%s objects of %s", unit.Count(int64(len(c.makers))), h.Class(c.makers[0]).Name))
	}
	if c.factory != "" {
		f.Evidence.Facts = append(f.Evidence.Facts, fact("thread factory", "%s", c.factory))
	}
	if loader != 0 {
		f.Culprit.Loader = address(h.Address(loader))
		f.Evidence.Facts = append(f.Evidence.Facts, fact("context class loader", "%s @ %s", h.Class(loader).Name, f.Culprit.Loader))
	}
	return f, nil
}

// mark is what the crowd is known again by: threads of nobody are told apart by where they are.
func (c *crowd) mark(in string) []string {
	mark := []string{"thread-leak", c.pattern, stableClass(c.class), c.factory}
	if c.maker == byNobody {
		mark = append(mark, in)
	}
	return mark
}

// word sets title, summary and advice by what made the threads, and where their own code is in,
// which is empty if they are in none.
func (c *crowd) word(f *Finding, name, in string) {
	n, made := int64(len(c.threads)), int64(len(c.makers))
	threads := unit.Plural(n, "thread", "threads")
	switch c.maker {
	case byPool:
		pools := unit.Plural(made, "thread pool", "thread pools")
		f.Title = fmt.Sprintf("%s not shut down keep %s alive, named %q", pools, threads, name)
		f.Summary = "A pool seems to be made for each piece of work."
		if c.lost {
			f.Title = fmt.Sprintf("%s that nobody can shut down any more keep %s alive, named %q", pools, threads, name)
			f.Summary = "Nothing but their own threads refers to them: they were made, used and dropped without shutdown()."
		}
		f.Summary += fmt.Sprintf(" Their ThreadFactory: %s.", clip(simpleName(c.factory), 60))
		f.Advice = "Make one pool and share it, or call shutdown() in a finally block (from JDK 19 on: try-with-resources). A ThreadFactory of your own that names its threads tells who makes them."
	case byTimer:
		f.Title = fmt.Sprintf("%s of java.util.Timer, named %q, live", threads, name)
		f.Summary = "Each Timer has a thread of its own until it is cancelled: one seems to be made for each piece of work."
		f.Advice = "Share one Timer or ScheduledThreadPoolExecutor, or call Timer.cancel() when its work is done."
	case byClient:
		f.Title = fmt.Sprintf("%s of java.net.http.HttpClient, named %q, live", threads, name)
		f.Summary = "Each HttpClient has a selector thread, a pool and connections of its own: one seems to be made for each request."
		f.Advice = "Make one HttpClient and share it: it is safe for many threads. JDK 21 and later can close() one."
	case byKafka:
		f.Title = fmt.Sprintf("%s of Kafka's clients, named %q, live", threads, name)
		f.Summary = "Each producer and admin client has a thread, connections and buffers of its own until it is closed: one seems to be made for each piece of work."
		f.Advice = "Make one KafkaProducer and share it: it is safe for many threads. Call close() on each that is no longer used."
	case byNobody:
		f.Title = fmt.Sprintf("%s alike, named %q, are in %s", threads, name, cmp.Or(in, "the same place"))
		f.Summary = "None of them belongs to a pool that is known."
		if c.numbers >= numbersRemark {
			f.Summary += fmt.Sprintf(" The first number or id in the names has %s values: so many groups of them were made.", unit.Count(c.numbers))
		}
		f.Advice = "See by the stack what they wait for: end threads whose work is done, share the group or pool that starts them, and bound how many there may be."
	}
}

// culprit names whom to look at: who has the makers, their factory, or the code that one of
// the threads is in.
func (c *crowd) culprit(by holder, at *heap.Frame) string {
	switch {
	case by.class != "" && !platform(by.class):
		return by.class
	case c.factory != "" && !platform(c.factory):
		return c.factory
	case at != nil:
		return at.Class
	}
	return c.class
}

// contextLoader returns the context class loader of a thread, 0 for the JVM's own.
// Errors: that of ctx.
func (h *Heap) contextLoader(ctx context.Context, t heap.ObjID) (loader heap.ObjID, err error) {
	err = h.Read(ctx, []heap.ObjID{t}, func(c heap.Content) {
		v, _, _ := h.Field(c, heap.FieldName{Class: "java.lang.Thread", Field: "contextClassLoader"})
		loader = h.Object(v)
	})
	if loader != 0 && builtinLoader(h.Class(loader).Name) {
		return 0, err
	}
	return loader, err
}
