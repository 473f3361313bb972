package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/jmx/jmxtest"
)

const (
	// quick and slow are how long requests take, and each of slowEach is a slow one.
	quick    = 1700 * time.Millisecond
	slow     = 5 * time.Second
	slowEach = 8
	// firstWorker is the id of the first worker's thread.
	firstWorker = 100
	// stackCalls is the depth of a stack: a web framework's.
	stackCalls = 60
)

// workers are the request processors of one JVM: busy ones have one request after the
// other in hand, each of which waits for its database; the others have none.
type workers struct {
	all, busy int
	stack     string
}

func newWorkers(all, busy int) workers {
	frames := []string{
		frame("sun.nio.ch.Net", "poll", true), frame("sun.nio.ch.NioSocketImpl", "park", false),
		frame("org.postgresql.core.v3.QueryExecutorImpl", "processResults", false),
	}
	for len(frames) < stackCalls {
		frames = append(frames, frame("shop.orders.Layer"+strconv.Itoa(len(frames)), "callTheNextOne", false))
	}
	frames = append(frames, frame("javax.servlet.http.HttpServlet", "service", false))
	return workers{all: all, busy: busy, stack: strings.Join(frames, ",")}
}

func frame(class, method string, native bool) string {
	return fmt.Sprintf(`{"className":%q,"methodName":%q,"fileName":"Source.java","lineNumber":42,"nativeMethod":%t}`, class, method, native)
}

// at is a worker at a moment: how many requests it has finished, what they took, and
// for how long it has had the next one.
func (w workers) at(n int, now time.Time) (finished int64, spent, age time.Duration) {
	round := (slowEach-1)*quick + slow
	left := time.Duration(now.UnixNano()) + time.Duration(n)*77*time.Millisecond // out of step
	rounds := int64(left / round)
	left %= round
	inRound := min(int64(left/quick), slowEach-1)
	finished = rounds*slowEach + inRound
	spent = time.Duration(rounds)*round + time.Duration(inRound)*quick
	return finished, spent, left - time.Duration(inRound)*quick
}

// answer is what the agent says of one item of a bulk, "" where it is not about
// workers.
func (w workers) answer(it jmxtest.Item, now time.Time) string {
	switch {
	case w.all == 0:
		return ""
	case strings.HasSuffix(it.MBean, ":type=RequestProcessor,worker=*,name=*"):
		return value(w.each("{", "}", func(n int) string { return w.name(n) + ":" + w.row(n, now) }))
	case strings.Contains(it.MBean, "type=RequestProcessor"):
		n := 0
		_, _ = fmt.Sscanf(it.MBean, "Catalina:name=HttpRequest%d,", &n) // ours are the only names
		return value(w.row(n, now))
	case slices.Contains(it.Attribute, "CurrentThreadCpuTime"):
		return value(fmt.Sprintf(`{"CurrentThreadCpuTime":%d}`, now.UnixNano()/1000))
	case slices.Contains(it.Attribute, "AllThreadIds"):
		return value(`{"AllThreadIds":` + w.each("[", "]", func(n int) string { return strconv.Itoa(firstWorker + n) }) + `}`)
	case strings.HasPrefix(it.Operation, "getThreadInfo"):
		return value(w.infos(it, now))
	case strings.HasPrefix(it.Operation, "getThread"): // a number for each id
		return value(ofIDs(it, func(n int) string {
			finished, _, _ := w.at(n, now)
			return strconv.FormatInt(1_000_000*(finished+1), 10)
		}))
	}
	return ""
}

func value(v string) string { return `{"status":200,"value":` + v + `}` }

func (w workers) each(begin, end string, one func(n int) string) string {
	parts := make([]string, w.all)
	for n := range parts {
		parts[n] = one(n)
	}
	return begin + strings.Join(parts, ",") + end
}

// name is a request processor's, quoted for JSON.
func (workers) name(n int) string {
	return strconv.Quote(fmt.Sprintf(`Catalina:name=HttpRequest%d,type=RequestProcessor,worker="http-nio-8080"`, n))
}

// row are a request processor's attributes.
func (w workers) row(n int, now time.Time) string {
	if n >= w.busy {
		return `{"requestCount":7,"stage":7,"requestProcessingTime":0,"workerThreadName":null,"currentUri":null,"method":null,` +
			`"processingTime":70,"lastRequestProcessingTime":10,"errorCount":0}`
	}
	finished, spent, age := w.at(n, now)
	return fmt.Sprintf(`{"requestCount":%d,"stage":3,"requestProcessingTime":%d,"workerThreadName":"http-nio-8080-exec-%d",`+
		`"currentUri":"/orders/%d","method":"GET","processingTime":%d,"lastRequestProcessingTime":%d,"errorCount":0}`,
		finished, age.Milliseconds(), n, finished, spent.Milliseconds(), quick.Milliseconds())
}

// infos are what getThreadInfo says: with stacks where it is asked for a depth.
func (w workers) infos(it jmxtest.Item, now time.Time) string {
	stack := ""
	if depth, ok := it.Arguments[len(it.Arguments)-1].(float64); ok && depth > 0 {
		stack = w.stack
	}
	return ofIDs(it, func(n int) string {
		finished, _, _ := w.at(n, now)
		return fmt.Sprintf(`{"threadId":%d,"threadName":"http-nio-8080-exec-%d","threadState":"RUNNABLE","blockedCount":0,"waitedCount":%d,`+
			`"blockedTime":-1,"waitedTime":-1,"lockName":null,"lockOwnerId":-1,"lockOwnerName":null,"inNative":true,"suspended":false,"stackTrace":[%s]}`,
			firstWorker+n, n, finished, stack)
	})
}

// ofIDs has one value for each id that an operation is asked about.
func ofIDs(it jmxtest.Item, one func(n int) string) string {
	var ids []float64
	if list, err := json.Marshal(it.Arguments[0]); err == nil {
		_ = json.Unmarshal(list, &ids) // nothing else is ever asked
	}
	parts := make([]string, len(ids))
	for i, id := range ids {
		parts[i] = one(int(id) - firstWorker)
	}
	return "[" + strings.Join(parts, ",") + "]"
}
