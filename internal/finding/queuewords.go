package finding

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// isQueue says whether a class is, by its name, a queue.
func isQueue(class string) bool {
	name := simpleName(class)
	return slices.ContainsFunc([]string{"Queue", "Deque", "BufferedSubscription", "BufferedChannel"}, func(word string) bool {
		return strings.Contains(name, word)
	})
}

// queueOn returns the class of the queue at which a path ends, or at the array of which; "" for none. class is that of the end.
func queueOn(p *Path, class string) string {
	if n := len(p.above()); n > 0 && strings.HasSuffix(class, "[]") {
		class = p.Steps[n-1].Class
	}
	if !isQueue(class) {
		return ""
	}
	return class
}

// takeFrom advises what to do about a queue of that class that grows.
func takeFrom(w holder, class string) string {
	if strings.Contains(simpleName(class), "PriorityQueue") {
		return fmt.Sprintf("What lies in %s comes out in its order, as timers do when they are due: find out what waits there for so long, and remove what nobody needs any more. If a thread is to take from it, see whether it keeps up.",
			cmp.Or(w.String(), "it"))
	}
	return fmt.Sprintf("Whoever takes from %s does not keep up, or has ended: find out why. Bound the queue (LinkedBlockingQueue takes a capacity), and let those who fill it wait, pause or drop.",
		cmp.Or(w.String(), "it"))
}

// wordTaker adds to the verdict on a long queue what the thread is at in whose fields it is: one
// that does not come back to its queue is why that grows. A thread in a call of the queue says
// nothing, and neither does one that only knows the queue from afar.
func (h *Heap) wordTaker(f *Finding, queue heap.ObjID) {
	t := h.beginsAt(f.Evidence.Path)
	switch {
	case t != nil && !t.runsNear(f.Evidence.Path):
		return
	case t == nil:
		t = h.inCallOf(f.Evidence.Path)
	}
	if t == nil || t.callsOf(queue) {
		return
	}
	at := t.own()
	if at == nil || !t.stuck() && !t.paused() && !t.inIO() {
		return
	}
	who := "That thread"
	if f.Evidence.Path.Thread == "" {
		who = fmt.Sprintf("Thread %q", clip(t.Name, 60))
		f.Culprit.Thread = t.Name
	}
	f.Summary += fmt.Sprintf(" %s is in %s.%s. %s", who, short(at.Class), clip(at.Method, 60), h.waiting(t, h.waitOf(t)))
	instead := "give what it waits for a time limit, or leave it to other threads"
	if t.paused() {
		instead = "let it wait less, or leave that to other threads"
	}
	f.Advice = fmt.Sprintf("If thread %q is to take from this queue: %s. Bound the queue, and let those who fill it wait or drop.", clip(t.Name, 60), instead)
	v := h.threadEvidence(t, h.waitOf(t))
	f.Evidence.Stack, f.Evidence.Lock = v.Stack, v.Lock
	f.Evidence.Facts = append(f.Evidence.Facts, v.Facts...)
}

// callsOf says whether the thread is in a call of the JDK's or a library's that has the queue in a
// variable.
func (t *thread) callsOf(queue heap.ObjID) bool {
	for i, f := range t.Frames {
		if isQueue(f.Class) && refersTo(t.Locals(i), queue) {
			return true
		}
	}
	return false
}

// inCallOf returns the thread that is in a call of the JDK's or a library's object which has the queue at which a path ends,
// or whose work begins in a call of the queue's owner; nil for none or several.
func (h *Heap) inCallOf(p *Path) *thread {
	owner, nearest := h.ownerOn(p), heap.ObjID(0)
	if n := len(p.above()); n > 0 && (platform(p.Steps[n-1].Class) || container(p.Steps[n-1].Class)) {
		nearest = h.objectOf(p.Steps[n-1])
	}
	var near, own []heap.Stack
	for s := range h.Stacks() {
		if h.hasInCall(s, nearest) {
			near = append(near, s)
		}
		begin := len(s.Frames) - 1
		for begin >= 0 && platform(s.Frames[begin].Class) {
			begin--
		}
		if owner != 0 && begin >= 0 && s.Frames[begin].Method != "main" &&
			outerClass(s.Frames[begin].Class) == outerClass(h.Class(owner).Name) && h.hasInCall(s, owner) {
			own = append(own, s)
		}
	}
	for _, in := range [][]heap.Stack{near, own} {
		if len(in) == 1 {
			return &thread{Stack: in[0], ThreadInfo: h.threadInfos[in[0].Object]}
		}
	}
	return nil
}

// hasInCall says whether a call of an object's class, or of one in it, has the object in a variable.
func (h *Heap) hasInCall(s heap.Stack, o heap.ObjID) bool {
	if o == 0 {
		return false
	}
	class := outerClass(h.Class(o).Name)
	for i, f := range s.Frames {
		if outerClass(f.Class) == class && refersTo(s.Locals(i), o) {
			return true
		}
	}
	return false
}

// nearOwners is how many objects of the program a queue may be a part of, one of the other, for a
// thread in a call of the outermost of them to be the one that takes from it.
const nearOwners = 2

// runsNear says whether the thread is in a call of a class that has in a field what a path ends at,
// or has its owner: a lambda or an inner class counts as the one around it.
func (t *thread) runsNear(p *Path) bool {
	if slices.ContainsFunc(p.Steps, func(s Step) bool { return s.Class == forkJoinPool+"$WorkQueue" }) {
		return true // it is one of the pool's
	}
	owners := 0
	jdk := !slices.ContainsFunc(p.above(), func(s Step) bool { return !platform(strings.TrimPrefix(s.Class, "class ")) })
	for _, s := range slices.Backward(p.above()) {
		name := strings.TrimPrefix(s.Class, "class ")
		if strings.HasSuffix(name, "[]") || !jdk && (platform(name) || container(name)) {
			continue
		}
		if slices.ContainsFunc(t.Frames, func(f heap.Frame) bool { return outerClass(f.Class) == outerClass(name) }) {
			return true
		}
		if owners++; owners == nearOwners {
			break
		}
	}
	return false
}

// outerClass names the class around an inner one or a lambda.
func outerClass(class string) string {
	name, _, _ := strings.Cut(class, "$")
	return name
}

// beginsAt returns the thread whose fields a path begins with, nil if it begins elsewhere.
func (h *Heap) beginsAt(p *Path) *thread {
	if p == nil || p.Thread == "" || p.Steps[0].Object == "" {
		return nil
	}
	for s := range h.Stacks() {
		if address(h.Address(s.Object)) == p.Steps[0].Object {
			return &thread{Stack: s, ThreadInfo: h.threadInfos[s.Object]}
		}
	}
	return nil
}

// wordBound says that the suspect is bounded: then it may be too big, but it does not grow for ever.
func wordBound(f *Finding, s *suspect) {
	if s.bound == 0 {
		return
	}
	f.Summary += fmt.Sprintf(" It is bounded: it takes %s at most.", unit.Count(s.bound))
	f.Evidence.Facts = append(f.Evidence.Facts, fact("takes at most", "%s", unit.Count(s.bound)))
	switch {
	case len(f.Evidence.Stack) > 0: // the advice is about a thread
	case s.collection != nil && !s.cached:
		f.Advice = "Find out why what takes from this queue does not keep up, and give it a smaller bound if it takes more than the heap can spare."
	default:
		f.Advice = "Give it a smaller bound if it takes more than the heap can spare."
	}
}

const releaseBuffers = "This is the memory of Netty's pool: as much as was in use at once, and a piece of it goes only when all buffers in it were released. Find ByteBufs that are not released (-Dio.netty.leakDetection.level=paranoid); if all are, bound how much may be under way at once."

const nameLoggers = "A logger stays for ever by its name: name loggers after classes, and say in the message, or by the MDC, which connection, user or job it is about."

// whatEmpties names the call or setting that empties what the JDK or a web server keeps for a program,
// "" where a path does not end with such a field.
//
// Sources, of sessions: Tomcat 7 to 11, Jetty 9.4 to 12, Undertow 1 and 2.
func whatEmpties(p *Path) string {
	if p == nil {
		return ""
	}
	if p.Steps[len(p.Steps)-1].Class == "ch.qos.logback.classic.LoggerContext" {
		return nameLoggers
	}
	for _, s := range slices.Backward(p.above()) {
		switch strings.TrimPrefix(s.Class, "class ") + "." + s.Field {
		case hooksClass + ".hooks":
			return "Call Runtime.removeShutdownHook() when what a hook is for is closed, or register one hook that closes all that is open."
		case "java.io.DeleteOnExitHook.files":
			return "File.deleteOnExit() keeps each path until the JVM ends: delete such files when they are done with (Files.deleteIfExists in a finally block)."
		case "java.io.ObjectOutputStream$HandleTable.objs":
			return "An ObjectOutputStream keeps all that was written to it: call reset() now and then, or end the stream."
		case "java.io.ObjectInputStream$HandleTable.entries":
			return "An ObjectInputStream keeps all that was read from it until the writer calls ObjectOutputStream.reset(): let it do so now and then, or end the stream."
		case "com.sun.jmx.mbeanserver.Repository.domainTb", "com.sun.jmx.mbeanserver.WeakIdentityHashMap.map":
			return "Call MBeanServer.unregisterMBean() when what an MBean is for is closed."
		case "org.apache.catalina.session.StandardManager.sessions", "org.apache.catalina.session.PersistentManager.sessions",
			"org.eclipse.jetty.session.DefaultSessionCache._sessions", "org.eclipse.jetty.server.session.DefaultSessionCache._sessions",
			"io.undertow.server.session.InMemorySessionManager.sessions":
			return "These are HTTP sessions, each kept until it times out: begin none for clients that bring no cookie (probes, robots, calls of an API), end them " +
				"when a user is done (HttpSession.invalidate()), shorten their timeout, and keep less in them."
		case "jdk.internal.vm.ThreadContainers$RootContainer$TrackingRootContainer.VTHREADS":
			return "These are virtual threads that have not ended: give what they wait for a time limit, and bound how many are started (a Semaphore)."
		case "org.springframework.session.MapSessionRepository.sessions":
			return "These are sessions in a map that nothing empties: a MapSessionRepository drops an expired one only when somebody asks for that very one. Use a repository that expires them (Redis, JDBC), or a map that does."
		case "org.apache.lucene.store.ByteBuffersDirectory.files", "org.apache.lucene.store.RAMDirectory.fileMap":
			return "Files of an index stay as long as a reader or a commit has them: close each DirectoryReader (SearcherManager.release()), and open one anew by openIfChanged only. If all are closed, the index is as big as that: keep it on a disk (MMapDirectory)."
		case "sun.nio.ch.Util$BufferCache.buffers":
			return "The JDK keeps such a buffer for each thread that reads or writes a channel by an array of the heap, as big as the biggest piece was: " +
				"use smaller pieces, or direct buffers, or set -Djdk.nio.maxCachedBufferSize (262144, say)."
		case "sun.net.www.protocol.jar.JarFileFactory.urlCache", "sun.net.www.protocol.jar.JarFileFactory.fileCache":
			return "Each jar file that a jar: URL was read from stays open: call URLConnection.setUseCaches(false) before it is read, or close the JarFile " +
				"(JarURLConnection.getJarFile()) when it is done with."
		case "sun.rmi.transport.ObjectTable.objTable", "sun.rmi.transport.ObjectTable.implTable":
			return "These are exported for RMI, and stay as long as a client has them: call UnicastRemoteObject.unexportObject() when one is done with."
		case "org.jboss.weld.contexts.CreationalContextImpl.dependentInstances":
			return "Each @Dependent bean from Instance.get() stays until what asked for it ends: call Instance.destroy() when it is done with, " +
				"or make the bean @ApplicationScoped or @RequestScoped."
		case "java.util.concurrent.DelayQueue.q":
			return "Each element stays until its time has come: remove those whose purpose is over, or give them shorter delays."
		case "ch.qos.logback.classic.LoggerContext.loggerCache", "org.apache.logging.log4j.spi.LoggerRegistry.map", "java.util.logging.LogManager$LoggerContext.namedLoggers":
			return nameLoggers
		case completable + ".stack":
			return "Each stage (thenRun, thenApply, anyOf ...) that is hung on a CompletableFuture stays until that one completes: do not hang one on a future that lives long for each request; complete it, or time out."
		}
		switch {
		case strings.Contains(s.Class, "netty.buffer.PoolChunk"), strings.Contains(s.Class, "netty.buffer.PoolArena"):
			return releaseBuffers
		case strings.HasSuffix(s.Class, "netty.channel.ChannelOutboundBuffer"):
			return "These are messages written to a connection whose peer does not read them as fast: write only while Channel.isWritable(), and close connections that do not read for long (WriteTimeoutHandler)."
		}
		if s.Field == "suppressedExceptions" {
			return "One exception collects all others (addSuppressed): make a new one for each piece of work, and bound how many a loop of retries adds."
		}
		if !strings.HasPrefix(s.Class, "java.util.") && !strings.HasPrefix(s.Class, "sun.") && !strings.HasSuffix(s.Class, "[]") {
			return ""
		}
	}
	return ""
}

// zipSource is what the JDK keeps of an open zip or jar file.
const zipSource = "java.util.zip.ZipFile$Source"

// perElement is how many objects of a group an element of a collection may keep for that collection
// to be what the group is in.
const perElement = 10

// wordOnTheWay names the big collection that most of a group are held by, where there is one: it is
// what fills up.
func (h *Heap) wordOnTheWay(f *Finding, s *suspect) {
	p := f.Evidence.Path
	if p == nil || p.Objects*2 < int64(len(s.group)) {
		return
	}
	for i, step := range slices.Backward(p.Steps) {
		c := h.accumulated.collections[h.objectOf(step)]
		if c == nil || c.size*perElement < s.count {
			continue
		}
		w := holderOn(&Path{Root: p.Root, Thread: p.Thread, Frame: p.Frame, Steps: p.Steps[:i+1]})
		f.Culprit.Class, f.Culprit.Field, f.Culprit.Object = w.class, w.field, step.Object
		f.Summary = fmt.Sprintf("Several objects hold each of them. On the way to %s of %s that were looked at lies %s with %s elements.",
			unit.Count(p.Objects), unit.Count(int64(len(s.group))), h.kindOf(c.object), unit.Count(c.size))
		if held := w.held(); held != "" {
			f.Summary += " " + held
		}
		f.Advice = boundIt(w)
		return
	}
}
