package tx

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// WorkerThreads finds transactions by the stacks of worker threads alone, for servers
// that register no request processors: Jetty, Undertow, WebLogic, JEUS and others. It
// turns threads into rows for a Tracker. What it says is an estimate: a transaction
// lasts as long as looks find the same entry into the application on the thread.
type WorkerThreads struct {
	classifier *classifier
	byID       map[int64]*workerThread
}

// workerThread is a thread at its last look.
type workerThread struct {
	// count is the number of transactions that have ended on it; entry names the one
	// in hand, empty when it is idle.
	count int64
	entry string
	mark  mark
}

// workerNames are the names of threads that handle requests, as far as servers have any of
// their own.
var workerNames = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`-exec-\d+$|^qtp\d+-|^default task-|^XNIO-.* task|ExecuteThread: |^Default Executor-thread-|^http-|^ajp-|` +
		`^jetty-|^grizzly|^vert\.x-worker|^executor-thread-|^HTTP-Dispatcher|^pool-\d+-thread-|[Ww]ork`)
})

// entries are where servers begin to handle a request.
var entries = sync.OnceValue(func() []string {
	return []string{
		"javax.servlet.http.HttpServlet.service", "jakarta.servlet.http.HttpServlet.service",
		"org.apache.catalina.core.StandardWrapperValve.invoke", "org.eclipse.jetty.server.handler.", "org.eclipse.jetty.server.Server.handle",
		"io.undertow.server.Connectors.executeRootHandler", "weblogic.servlet.internal.", "jeus.servlet.", "com.ibm.ws.webcontainer.",
		"org.glassfish.grizzly.http.server.", "com.caucho.server.", "sun.net.httpserver.ServerImpl$Exchange.run",
	}
})

// NewWorkerThreads has seen no thread.
func NewWorkerThreads() *WorkerThreads {
	return &WorkerThreads{classifier: newClassifier(), byID: map[int64]*workerThread{}}
}

// IsWorker tells by its name a thread that may handle requests.
func (w *WorkerThreads) IsWorker(name string) bool { return workerNames().MatchString(name) }

// Moved tells whether a thread has run since its last look: its stack is worth one.
func (w *WorkerThreads) Moved(th *jvm.Thread) bool {
	seen := w.byID[th.ID]
	return seen == nil || !seen.mark.unmoved(markOf(th))
}

// Busy tells whether a thread had a transaction in hand at the last look.
func (w *WorkerThreads) Busy() bool {
	for _, seen := range w.byID {
		if seen.entry != "" {
			return true
		}
	}
	return false
}

// Rows are the threads as request processors. states are all workers, stacks those of
// them that had moved; others do what they did. Those of claimed handle a request that
// has a processor: what they had in hand before has ended.
func (w *WorkerThreads) Rows(states, stacks map[int64]*jvm.Thread, claimed map[int64]bool) []jvm.RequestProcessor {
	var rows []jvm.RequestProcessor
	for id, seen := range w.byID {
		switch {
		case claimed[id]:
			rows = append(rows, seen.row(id, "", ""))
			seen.mark = mark{}
		case states[id] == nil:
			delete(w.byID, id)
		}
	}
	for id, th := range states {
		seen, stack := w.byID[id], stacks[id]
		switch {
		case stack != nil:
			if seen == nil {
				seen = &workerThread{}
				w.byID[id] = seen
			}
			seen.mark = markOf(th)
			rows = append(rows, seen.row(id, th.Name, w.entry(stack.Stack)))
		case seen != nil:
			rows = append(rows, seen.row(id, th.Name, seen.entry))
		}
	}
	slices.SortFunc(rows, func(a, b jvm.RequestProcessor) int { return cmp.Compare(a.Name, b.Name) })
	return rows
}

// row is a thread with that entry now, "" where it is idle.
func (t *workerThread) row(id int64, name, entry string) jvm.RequestProcessor {
	if t.entry != "" && t.entry != entry {
		t.count++
	}
	t.entry = entry
	row := jvm.RequestProcessor{Name: "thread " + strconv.FormatInt(id, 10), Estimated: true, Count: t.count, Stage: -1, ElapsedMs: -1}
	if entry != "" {
		row.Stage, row.Path, row.Thread = jvm.StageService, entry, name
	}
	return row
}

// lambdaMark is in the names of classes that stand for lambdas, which differ from start to start:
// what they call has a name.
const lambdaMark = "$$Lambda"

// entry names the transaction of a stack by the first call of the application inside
// of the server's own; it is empty where the server has no request in hand.
func (w *WorkerThreads) entry(stack []jvm.Frame) string {
	inside := -1
	for i := len(stack) - 1; i >= 0; i-- {
		name := frameName(stack[i])
		if strings.HasPrefix(name, "org.jolokia.") {
			return "" // it answers us
		}
		if inside < 0 && slices.ContainsFunc(entries(), func(e string) bool { return strings.HasPrefix(name, e) }) {
			inside = i
		}
		if inside >= 0 && w.classifier.frame(stack[i]).app && !strings.Contains(name, lambdaMark) {
			return name
		}
	}
	if inside < 0 {
		return ""
	}
	return frameName(stack[inside])
}
