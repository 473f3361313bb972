package tx

import (
	"cmp"
	"maps"
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
	// families are those of threads with other names than workers have as a rule that were seen at a request.
	families map[string]bool
	// turns are when other families had their last one, by the count of all.
	turns map[string]int64
	turn  int64
	// seen says that a thread was seen at a request.
	seen bool
	// looks counts them.
	looks int64
}

// workerThread is a thread at its last look.
type workerThread struct {
	// count is the number of transactions that have ended on it; entry names the one
	// in hand, empty when it is idle.
	count int64
	entry string
	mark  mark
	// since is the look that first showed the transaction in hand, looked the one that last
	// took the thread's stack.
	since, looked int64
}

// calls are what servers make for each request and for nothing else, on whatever threads they have.
var calls = sync.OnceValue(func() []string {
	return []string{
		"javax.servlet.http.HttpServlet.service", "jakarta.servlet.http.HttpServlet.service",
		"org.apache.catalina.core.StandardWrapperValve.invoke", "org.eclipse.jetty.server.Server.handle",
		"io.undertow.server.Connectors.executeRootHandler", "sun.net.httpserver.ServerImpl$Exchange.run", "io.grpc.internal.ServerImpl$",
		"org.glassfish.jersey.server.ServerRuntime", "org.jboss.resteasy.core.SynchronousDispatcher.",
		"org.jboss.resteasy.reactive.common.core.AbstractResteasyReactiveContext.run", "io.micronaut.http.server.RouteExecutor.",
		"org.springframework.web.method.support.InvocableHandlerMethod.", "org.springframework.web.reactive.result.method.InvocableHandlerMethod.",
		"org.springframework.web.context.request.async.WebAsyncManager.",
		"com.linecorp.armeria.internal.server.annotation.", "io.ktor.server.engine.DefaultEnginePipeline", "io.ktor.server.routing.", "org.apache.pekko.http.scaladsl.server.", "akka.http.scaladsl.server.",
	}
})

// entries are where servers begin to handle a request: those calls, and on threads named like
// workers what only a request does there.
var entries = sync.OnceValue(func() []string {
	return append([]string{
		"org.eclipse.jetty.server.handler.", "weblogic.servlet.internal.", "jeus.servlet.", "com.ibm.ws.webcontainer.",
		"org.glassfish.grizzly.http.server.", "com.caucho.server.",
		// Vert.x and Netty: what handlers leave to worker threads, and handlers that keep their event loop.
		"io.vertx.core.impl.WorkerTask.", "io.vertx.core.impl.ContextImpl.", "io.vertx.core.http.impl.", "reactor.netty.http.server.",
	}, calls()...)
})

// NewWorkerThreads has seen no thread.
func NewWorkerThreads() *WorkerThreads {
	return &WorkerThreads{classifier: newClassifier(), byID: map[int64]*workerThread{}, families: map[string]bool{}, turns: map[string]int64{}}
}

// IsWorker tells by its name a thread that may handle requests: one that is named like workers, or
// like another that was seen at one.
func (w *WorkerThreads) IsWorker(name string) bool {
	f := family(name)
	return w.families[f] || namedLikeWorkers(f)
}

// Seen tells whether any thread was ever seen at a request.
func (w *WorkerThreads) Seen() bool { return w.seen }

// maxFamilies bounds the families that are remembered, maxTurns those whose turns are.
const (
	maxFamilies = 100
	maxTurns    = 1000
)

// note remembers that a thread of that name is at a request.
func (w *WorkerThreads) note(name string) {
	w.seen = true
	w.remember(name)
}

// remember takes threads of that name for workers from now on.
func (w *WorkerThreads) remember(name string) {
	if !w.IsWorker(name) && len(w.families) < maxFamilies {
		w.families[family(name)] = true
	}
}

// ofServerPool tells a call of the pool that a server has its threads in, under any package, as Spark has Jetty in one of its own: such a
// thread is a worker before any request was seen.
func ofServerPool(f jvm.Frame) bool {
	return strings.HasSuffix(f.Class, ".jetty.util.thread.QueuedThreadPool$Runner")
}

// moved tells whether a thread has run since its last look: its stack is worth one.
func (w *WorkerThreads) moved(th *jvm.Thread) bool {
	seen := w.byID[th.ID]
	return seen == nil || !seen.mark.unmoved(markOf(th))
}

// ToLookAt are those of the threads whose stacks are worth a look: first those that have had a transaction
// in hand for longest, at most budget of them, then as many that were not looked at for longest, and then at most
// strangers that are no workers for all that is known, of different families, by turns.
func (w *WorkerThreads) ToLookAt(states map[int64]*jvm.Thread, budget, strangers int) []int64 {
	var busy, others, strange []int64
	for id, th := range states {
		switch {
		case !w.moved(th):
		case w.byID[id] != nil && w.byID[id].entry != "":
			busy = append(busy, id)
		case !w.IsWorker(th.Name):
			strange = append(strange, id)
		default:
			others = append(others, id)
		}
	}
	slices.SortFunc(busy, func(a, b int64) int { return cmp.Or(cmp.Compare(w.byID[a].since, w.byID[b].since), cmp.Compare(a, b)) })
	others = append(others, busy[min(len(busy), budget):]...)
	looked := func(id int64) int64 {
		if seen := w.byID[id]; seen != nil {
			return seen.looked
		}
		return 0
	}
	byTurns := func(a, b int64) int { return cmp.Or(cmp.Compare(looked(a), looked(b)), cmp.Compare(a, b)) }
	slices.SortFunc(others, byTurns)
	slices.SortFunc(strange, byTurns)
	return slices.Concat(busy[:min(len(busy), budget)], others[:min(len(others), budget)], w.pickOfFamilies(strange, states, strangers))
}

// pickOfFamilies picks the first thread of each family, most of them at most, and of those families first that
// had no turn for longest.
func (w *WorkerThreads) pickOfFamilies(ids []int64, states map[int64]*jvm.Thread, most int) []int64 {
	first := map[string]int64{}
	for _, id := range ids {
		if name := family(states[id].Name); first[name] == 0 {
			first[name] = id
		}
	}
	names := slices.Collect(maps.Keys(first))
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(w.turns[a], w.turns[b]), cmp.Compare(a, b)) })
	picked := []int64{}
	for _, name := range names[:min(len(names), most)] {
		picked = append(picked, first[name])
		w.turn++
		w.turns[name] = w.turn
	}
	if len(w.turns) > maxTurns {
		clear(w.turns)
	}
	return picked
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
// them that were worth a look and got one. Others do what they did if they have not moved; if they have,
// they may be at another transaction of the kind. Those of claimed handle a request that
// has a processor: what they had in hand before has ended. apart says that the look before was so
// long ago that those that have moved since are at another transaction, for all that is known.
func (w *WorkerThreads) Rows(states, stacks map[int64]*jvm.Thread, claimed map[int64]bool, apart bool) []jvm.RequestProcessor {
	w.looks++
	var rows []jvm.RequestProcessor
	for id, seen := range w.byID {
		switch {
		case claimed[id]:
			seen.goOn("", w.looks)
			rows = append(rows, seen.row(id, ""))
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
			if apart {
				seen.goOn("", w.looks)
			}
			seen.mark, seen.looked = markOf(th), w.looks
			seen.goOn(w.entry(th.Name, stack.Stack), w.looks)
			rows = append(rows, seen.row(id, th.Name))
		case seen != nil:
			if entry := seen.entry; w.moved(th) {
				seen.goOn("", w.looks)
				seen.goOn(entry, w.looks)
			}
			rows = append(rows, seen.row(id, th.Name))
		}
	}
	slices.SortFunc(rows, func(a, b jvm.RequestProcessor) int { return cmp.Compare(a.Name, b.Name) })
	return rows
}

// goOn says that a look found the thread with that entry, "" where it is idle.
func (t *workerThread) goOn(entry string, look int64) {
	if t.entry == entry {
		return
	}
	if t.entry != "" {
		t.count++
	}
	t.entry, t.since = entry, look
}

// row is the thread as a request processor.
func (t *workerThread) row(id int64, name string) jvm.RequestProcessor {
	row := jvm.RequestProcessor{Name: "thread " + strconv.FormatInt(id, 10), Estimated: true, ThreadID: id, Count: t.count, Stage: -1, ElapsedMs: -1}
	if t.entry != "" {
		row.Stage, row.Path, row.Thread = jvm.StageService, t.entry, name
	}
	return row
}

// generated tells a call of a class that stands for a lambda, which has another name at each start,
// or that is Quarkus' or Micronaut's way to a method: what they call has a name.
func generated(name string) bool {
	return strings.Contains(name, "$$Lambda") || strings.Contains(name, "$quarkusrestinvoker$") || strings.Contains(name, "$Definition$Exec.")
}

// answersUs tells a call of the agent, which filters of the application may lie around where the
// server itself has it. Jolokia's client is the application's own.
func answersUs(f jvm.Frame) bool {
	return strings.HasPrefix(f.Class, "org.jolokia.") && !strings.HasPrefix(f.Class, "org.jolokia.client.")
}

// entry names the transaction of a stack by the first call of the application inside
// of the server's own; it is empty where the server has no request in hand.
func (w *WorkerThreads) entry(thread string, stack []jvm.Frame) string {
	if slices.ContainsFunc(stack, answersUs) {
		return ""
	}
	begins := entries()
	if !w.IsWorker(thread) {
		begins = calls()
	}
	inside := -1
	for i := len(stack) - 1; i >= 0; i-- {
		name := frameName(stack[i])
		if inside < 0 && slices.ContainsFunc(begins, func(e string) bool { return strings.HasPrefix(name, e) }) {
			inside = i
		}
		if inside >= 0 && w.classifier.frame(stack[i]).app && !generated(name) {
			w.note(thread)
			return name
		}
	}
	if inside < 0 {
		if slices.ContainsFunc(stack, ofServerPool) {
			w.remember(thread)
		}
		return ""
	}
	w.note(thread)
	return frameName(stack[inside])
}
