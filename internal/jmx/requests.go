package jmx

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// maxProcessors bounds the request processors that are taken from one answer; a
// Tomcat has one for each connection that is open.
const maxProcessors = 20_000

// maxPathBytes bounds the path of a request, cut off beyond.
const maxPathBytes = 1024

// requestItems are the reads of one look at the requests in flight. The thread's CPU
// time at both ends tells what the look costs the JVM. requestCount comes first:
// agents read attributes in the order asked (see jvm.RequestProcessor). Attributes
// are always named: globalProcessor and rpName would drag in half of Tomcat. So are all
// keys of a name in any domain: WildFly compares one that may have more of them with its
// whole model of management, which takes a tenth of a second. domain is where Tomcat's MBeans are looked
// for, "*" for everywhere.
func requestItems(domain string, workers []int64) []request {
	items := []request{
		read("java.lang:type=Threading", "CurrentThreadCpuTime", "TotalStartedThreadCount"),
		read(domain+":type=RequestProcessor,worker=*,name=*", "requestCount", "stage", "requestProcessingTime", "workerThreadName", "currentUri",
			"method", "processingTime", "lastRequestProcessingTime", "errorCount"),
		read("java.lang:type=GarbageCollector,*", "Name", "CollectionTime"),
		read("java.lang:type=Runtime", "StartTime", "Uptime", "Name"),
		// Only where there is HTTP/2, whose requests have no processors.
		read(domain+":type=GlobalRequestProcessor,name=*,Upgrade=*", "requestCount"),
		read(domain+":type=ThreadPool,name=*", "currentThreadsBusy"),
		read("java.lang:type=Threading", "CurrentThreadCpuTime"),
	}
	if len(workers) > 0 {
		items = append(items, run(opThreadCPU(), workers))
	}
	return items
}

// Requests looks at the requests in flight, and at what the workers, threads by name
// and id, have used up. A JVM without Tomcat's MBeans gives a
// reading without processors. Errors are *Error.
func (c *Client) Requests(ctx context.Context, workers map[string]int64) (*jvm.Requests, error) {
	ctx, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	names, ids := slices.Sorted(maps.Keys(workers)), make([]int64, 0, len(workers))
	for _, name := range names {
		ids = append(ids, workers[name])
	}
	domain := c.tomcat.at(time.Now())
	items := requestItems(domain, ids)
	a := &answer{buffers: c.opts.Buffers}
	defer a.free()
	c.waits.want()
	replies, timing, err := c.timedInto(ctx, a, items)
	if err != nil {
		return nil, rejection(err)
	}
	if domain == everyDomain {
		c.tomcat.saw(timing.sent, replies[1], replies[5])
	}
	r := &jvm.Requests{Sent: timing.sent, Received: timing.received, Others: c.waits.before(timing)}
	if rows := replies[1]; rows.err == "" {
		r.Processors = decodeProcessors(rows.value)
	} else if !rows.absent() {
		return nil, &Error{ReasonOperation, errors.New("the request processors cannot be read: " + rows.err)}
	}
	r.PauseMs = decodePauses(replies[2])
	if runtime := replies[3]; runtime.err == "" {
		r.StartMs, r.UptimeMs = count(runtime.value, "StartTime"), count(runtime.value, "Uptime")
		r.Process = text(runtime.value, "Name")
		pid, _, _ := strings.Cut(r.Process, "@")
		if n, err := strconv.ParseInt(pid, 10, 64); err == nil {
			r.PID = jvm.Count(n)
		}
	}
	if threading := replies[0]; threading.err == "" {
		r.StartedThreads = count(threading.value, "TotalStartedThreadCount")
	}
	if upgrades, pools := replies[4], replies[5]; pools.err == "" {
		eachBean(pools.value, func(_ []byte, bean value) {
			busy, ok := count(bean, "currentThreadsBusy").Get()
			r.Registers = r.Registers || ok
			if ok && upgrades.err == "" {
				r.BusyWorkers = jvm.Some(r.BusyWorkers.Or(0) + busy)
			}
		})
	}
	if len(ids) > 0 {
		used := usedUp(replies[7], ids)
		r.Workers = make(map[string]jvm.Used, len(ids))
		for i, name := range names {
			r.Workers[name] = jvm.Used{CPUNs: used[ids[i]]}
		}
	}
	r.CPUNs = growth(replies[0], replies[6])
	return r, nil
}

// growth is by how much the CPU time of the thread that answers has grown between
// two items.
func growth(a, b reply) jvm.Opt[int64] {
	if a.err != "" || b.err != "" {
		return jvm.Opt[int64]{}
	}
	from, okFrom := count(a.value, "CurrentThreadCpuTime").Get()
	to, okTo := count(b.value, "CurrentThreadCpuTime").Get()
	if !okFrom || !okTo || to < from {
		return jvm.Opt[int64]{}
	}
	return jvm.Some(to - from)
}

func decodeProcessors(v value) []jvm.RequestProcessor {
	rows := make([]jvm.RequestProcessor, 0, min(v.fields(), maxProcessors))
	v.each(func(key []byte, bean value) {
		requests, counted := count(bean, "requestCount").Get()
		if !counted || len(rows) == maxProcessors || len(key) > maxPathBytes {
			return
		}
		name, keys := objectName(string(key))
		rows = append(rows, jvm.RequestProcessor{
			Name:         name,
			Connector:    keys["worker"],
			Count:        requests,
			Stage:        count(bean, "stage").Or(-1),
			ElapsedMs:    count(bean, "requestProcessingTime").Or(-1),
			ProcessingMs: count(bean, "processingTime").Or(0),
			LastMs:       count(bean, "lastRequestProcessingTime").Or(0),
			Errors:       count(bean, "errorCount").Or(0),
			Thread:       text(bean, "workerThreadName"),
			Path:         requestPath(bean.get("currentUri").text()),
			Method:       text(bean, "method"),
		})
	})
	slices.SortFunc(rows, func(a, b jvm.RequestProcessor) int { return cmp.Compare(a.Name, b.Name) })
	return rows
}

// requestPath is a request's, cut to a bounded length. Its query stays behind, which has no
// business here.
func requestPath(uri string) string {
	uri = uri[:min(len(uri), maxPathBytes)]
	s, _, _ := strings.Cut(uri, "?")
	return strings.ToValidUTF8(s, "?")
}

// decodePauses sums up the time of the collectors whose work stops the application.
func decodePauses(r reply) jvm.Opt[int64] {
	if r.err != "" {
		return jvm.Opt[int64]{}
	}
	sum, known := int64(0), false
	eachBean(r.value, func(_ []byte, bean value) {
		phase, _ := jvm.KindOfGC(text(bean, "Name"))
		ms, ok := count(bean, "CollectionTime").Get()
		if ok && phase == jvm.PhasePause {
			sum, known = sum+ms, true
		}
	})
	if !known {
		return jvm.Opt[int64]{}
	}
	return jvm.Some(sum)
}

// objectName reads the text of an ObjectName: its form with the keys in order, which
// does not depend on the agent's version, and the keys, quoted values without their
// quotes.
func objectName(raw string) (canonical string, keys map[string]string) {
	domain, rest, ok := strings.Cut(raw, ":")
	keys = map[string]string{}
	if !ok {
		return raw, keys
	}
	var parts []string
	for rest != "" {
		part := rest[:partLength(rest)]
		rest = strings.TrimPrefix(rest[len(part):], ",")
		parts = append(parts, part)
		name, value, _ := strings.Cut(part, "=")
		if len(value) > 1 && strings.HasPrefix(value, `"`) && strings.HasSuffix(value, `"`) {
			value = strings.NewReplacer(`\"`, `"`, `\\`, `\`, `\*`, `*`, `\?`, `?`).Replace(value[1 : len(value)-1])
		}
		keys[name] = value
	}
	slices.Sort(parts)
	return domain + ":" + strings.Join(parts, ","), keys
}

// objectKeys are the keys of an ObjectName.
func objectKeys(name []byte) map[string]string {
	_, keys := objectName(string(name))
	return keys
}

// partLength is the length of the first key and value of a list of them: up to the
// first comma outside of quotes.
func partLength(s string) int {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && quoted:
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == ',' && !quoted:
			return i
		}
	}
	return len(s)
}
