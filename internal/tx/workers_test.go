package tx_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/internal/tx"
)

// TestWorkerThreads: a server without request processors, seen by its stacks.
func TestWorkerThreads(t *testing.T) {
	t.Parallel()
	w, tracker := tx.NewWorkerThreads(), newTracker(3*time.Second)
	const (
		jetty = " org.eclipse.jetty.server.Server.handle org.eclipse.jetty.util.thread.QueuedThreadPool$Runner.run java.lang.Thread.run"
		busy  = "sun.nio.ch.Net.poll! org.postgresql.core.PGStream.receiveChar shop.Orders.find shop.OrderServlet.doGet javax.servlet.http.HttpServlet.service" + jetty
		idle  = "jdk.internal.misc.Unsafe.park! org.eclipse.jetty.util.BlockingArrayQueue.poll org.eclipse.jetty.util.thread.QueuedThreadPool.idleJobPoll java.lang.Thread.run"
		agent = "java.lang.String.equals org.jolokia.server.core.http.HttpRequestHandler.handle shop.LoginFilter.doFilter" + jetty
	)
	var records []*tx.Record
	for i, calls := range []string{idle, busy, busy, busy, busy, busy, idle, agent, agent, agent, agent, agent, idle} {
		at := epoch().Add(time.Duration(i) * time.Second)
		th := &jvm.Thread{ID: 5, Name: "qtp12-34", State: jvm.Runnable, CPUNs: jvm.Some(int64(i))}
		stacked := *th
		stacked.Stack = stack(calls)
		assert.Equal(t, []int64{5}, w.ToLookAt(map[int64]*jvm.Thread{5: th}, 16, 4))
		rows := w.Rows(map[int64]*jvm.Thread{5: th}, map[int64]*jvm.Thread{5: &stacked}, nil, false)
		records = append(records, tracker.Requests(&jvm.Requests{Sent: at, Received: at, StartMs: jvm.Some[int64](1), Processors: rows})...)
		for _, wanted := range tracker.InFlight(at) {
			assert.Equal(t, "qtp12-34", wanted.Thread)
			tracker.Sample(wanted.Key, at, th, &stacked)
		}
	}
	assert.False(t, w.Busy())
	require.Len(t, records, 1)
	rec := records[0]
	assert.Equal(t, tx.SourceThreads, rec.Source)
	assert.Equal(t, "shop.OrderServlet.doGet", rec.Route)
	assert.Empty(t, rec.Path, "nobody saw it")
	assert.Equal(t, tx.Estimated, rec.Elapsed.Certainty)
	assert.Equal(t, int64(4000), rec.Elapsed.MinMs)
	assert.Equal(t, tx.ClassSQL, rec.Class)
	assert.Equal(t, tx.StateFinished, rec.State)

	th := &jvm.Thread{ID: 5, Name: "qtp12-34"}
	working := *th
	working.Stack = stack("org.jolokia.client.J4pClient.execute " + busy)
	first := w.Rows(map[int64]*jvm.Thread{5: th}, map[int64]*jvm.Thread{5: &working}, nil, false)[0]
	assert.Equal(t, "qtp12-34", first.Thread)
	elsewhere := w.Rows(nil, nil, map[int64]bool{5: true}, false)[0]
	assert.Equal(t, first.Count+1, elsewhere.Count, "a request with a processor is another one")
	assert.Empty(t, elsewhere.Path)
	assert.False(t, w.Busy())

	for _, name := range []string{"http-nio-8080-exec-1", "qtp12-3", "default task-7", "XNIO-1 task-2", "vert.x-eventloop-thread-1", "reactor-http-epoll-2", "[ACTIVE] ExecuteThread: '3' for queue", "Default Executor-thread-9",
		"JettyServerThreadPool-24", "dw-20 - GET /orders/7", "grpc-default-executor-0", "executor-thread-1",
		"work-3", "default-eventLoopGroup-2-2", "vertx-blocked-worker 1", "ForkJoinPool-1-worker-5",
		"pool-3-thread-1", "ajp-nio-8009-exec-12", "HTTP-Dispatcher", "grizzly-nio-kernel(1)", "batch Work 2"} {
		assert.True(t, w.IsWorker(name), name)
	}
	for _, name := range []string{"Finalizer", "thread-pool-3", "XNIO-1 I/O-1", "nio-exec-x", "data-plane-kafka-network-thread-1-ListenerName(PLAINTEXT)-PLAINTEXT-0"} {
		assert.False(t, w.IsWorker(name), name)
	}
}

// TestWorkersThatMayBeAtAnother: who has moved and was not looked at, or not for long, may be at another
// transaction of the kind; who stands still is at the same.
func TestWorkersThatMayBeAtAnother(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		moved, looked, apart bool
		want                 int64
	}{
		"looked at": {moved: true, looked: true}, "not looked at": {moved: true, want: 1}, "not for long": {moved: true, looked: true, apart: true, want: 1},
		"stands still": {}, "stands still for long": {apart: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := tx.NewWorkerThreads()
			look := func(cpu int64, looked, apart bool) jvm.RequestProcessor {
				th := &jvm.Thread{ID: 5, Name: "qtp12-34", CPUNs: jvm.Some(cpu)}
				stacks := map[int64]*jvm.Thread{}
				if looked {
					stacked := *th
					stacked.Stack = stack("java.lang.Thread.sleep! shop.OrderServlet.doGet javax.servlet.http.HttpServlet.service java.lang.Thread.run")
					stacks[5] = &stacked
				}
				rows := w.Rows(map[int64]*jvm.Thread{5: th}, stacks, nil, apart)
				require.Len(t, rows, 1)
				return rows[0]
			}
			first := look(1, true, false)
			cpu := int64(1)
			if c.moved {
				cpu = 2
			}
			second := look(cpu, c.looked, c.apart)
			assert.Equal(t, first.Path, second.Path)
			assert.Equal(t, c.want, second.Count-first.Count)
		})
	}
}

// TestWhichWorkersAreLookedAt: those at it for longest stay in sight, and each other one gets its turn.
func TestWhichWorkersAreLookedAt(t *testing.T) {
	t.Parallel()
	w := tx.NewWorkerThreads()
	seen := map[int64]int{}
	for i := range int64(20) {
		states, stacks := map[int64]*jvm.Thread{}, map[int64]*jvm.Thread{}
		for id := range int64(12) {
			states[id] = &jvm.Thread{ID: id, Name: "pool-1-thread-1", CPUNs: jvm.Some(i)}
		}
		delete(states, 11-i%2*11) // some come later
		for _, id := range w.ToLookAt(states, 2, 1) {
			seen[id]++
			stacked := *states[id]
			if id == 7 {
				stacked.Stack = stack("java.lang.Thread.sleep! shop.OrderServlet.doGet javax.servlet.http.HttpServlet.service java.lang.Thread.run")
			}
			stacks[id] = &stacked
		}
		assert.LessOrEqual(t, len(stacks), 4)
		w.Rows(states, stacks, nil, false)
	}
	require.Len(t, seen, 12, "none is left out: %v", seen)
	assert.Greater(t, seen[7], 12, "%v", seen)
}

// TestThreadsOfAnyName: a call that only servers make tells a worker by any name, and the others of its pool
// with it. A server's own thread is no request.
func TestThreadsOfAnyName(t *testing.T) {
	t.Parallel()
	w := tx.NewWorkerThreads()
	look := func(name, calls string) []int64 {
		th := &jvm.Thread{ID: 5, Name: name, CPUNs: jvm.Some[int64](1)}
		stacked := *th
		stacked.Stack = stack(calls)
		w.Rows(map[int64]*jvm.Thread{5: th}, map[int64]*jvm.Thread{5: &stacked}, nil, false)
		states := map[int64]*jvm.Thread{}
		for id := range int64(9) {
			states[100+id] = &jvm.Thread{ID: 100 + id, Name: strings.Replace(name, "1", strconv.Itoa(int(id)), 1)}
		}
		return w.ToLookAt(states, 16, 4)
	}
	assert.Len(t, look("front desk 1", "java.lang.Thread.sleep! shop.Ticker.run java.lang.Thread.run"), 1, "of a pool of no known kind one has its turn")
	assert.Len(t, look("front desk 1", "java.lang.Object.wait! shop.Main.main com.caucho.server.resin.Resin.waitForExit"), 1)
	assert.Len(t, look("SparkUI-1", "sun.nio.ch.EPoll.wait! org.sparkproject.jetty.io.ManagedSelector.select org.sparkproject.jetty.util.thread.QueuedThreadPool$Runner.run java.lang.Thread.run"),
		9, "a server's pool is known while it is idle")
	assert.False(t, w.Seen())
	assert.Len(t, look("front desk 1", "java.lang.Thread.sleep! shop.Orders.handle sun.net.httpserver.ServerImpl$Exchange.run java.lang.Thread.run"), 9)
	assert.True(t, w.Seen())
	assert.True(t, w.Busy())
	assert.True(t, w.IsWorker("front desk 77"))
	assert.False(t, w.IsWorker("back desk 1"))
}

// TestFamiliesHaveTheirTurns: many threads of one kind keep those of others waiting no longer than one does, and each
// of them is looked at in the end.
func TestFamiliesHaveTheirTurns(t *testing.T) {
	t.Parallel()
	w := tx.NewWorkerThreads()
	seen := map[int64]int{}
	for i := range int64(24) {
		states, stacks := map[int64]*jvm.Thread{}, map[int64]*jvm.Thread{}
		for id := range int64(14) {
			name := fmt.Sprintf("ticker %d", id)
			if id < 2 {
				name = []string{"main", "front desk"}[id]
			}
			states[id+1] = &jvm.Thread{ID: id + 1, Name: name, CPUNs: jvm.Some(i)}
		}
		looked := w.ToLookAt(states, 16, 2)
		assert.Len(t, looked, 2)
		for _, id := range looked {
			seen[id]++
			stacks[id] = states[id]
		}
		w.Rows(states, stacks, nil, false)
	}
	assert.Len(t, seen, 14, "%v", seen)
	assert.Equal(t, 16, seen[1], "two of three looks")
	assert.Equal(t, 16, seen[2])
}

// TestEntriesHaveNamesThatLast: neither a lambda's class, which has another name after each start, nor
// the filter of a server is where an application begins.
func TestEntriesHaveNamesThatLast(t *testing.T) {
	t.Parallel()
	f := func(calls, want string) {
		t.Helper()
		th := &jvm.Thread{ID: 5, Name: "pool-1-thread-1"}
		working := *th
		working.Stack = stack(calls)
		rows := tx.NewWorkerThreads().Rows(map[int64]*jvm.Thread{5: th}, map[int64]*jvm.Thread{5: &working}, nil, false)
		require.Len(t, rows, 1)
		assert.Equal(t, want, rows[0].Path)
	}
	f("java.lang.Thread.sleep! shop.Api.lambda$main$0 shop.Api$$Lambda$186/0x00007f86f818d678.handle sun.net.httpserver.ServerImpl$Exchange.run", "shop.Api.lambda$main$0")
	f("java.lang.Thread.sleep! shop.T.doGet javax.servlet.http.HttpServlet.service io.openliberty.http.monitor.ServletFilter.doFilter "+
		"com.ibm.ws.webcontainer.filter.FilterInstanceWrapper.doFilter", "shop.T.doGet")
	f("java.lang.Thread.sleep! shop.Api.lambda$main$7 shop.Api$$Lambda$41/0x00007f89380aec98.handle io.vertx.ext.web.impl.BlockingHandlerDecorator.lambda$handle$0 "+
		"io.vertx.core.impl.ContextInternal.dispatch io.vertx.core.impl.WorkerTask.run java.util.concurrent.ThreadPoolExecutor.runWorker "+
		"io.netty.util.concurrent.FastThreadLocalRunnable.run java.lang.Thread.run", "shop.Api.lambda$main$7")
	f("java.lang.Thread.sleep! shop.Api.order io.vertx.ext.web.impl.RouteState.handleContext io.vertx.core.http.impl.Http1xServerRequestHandler.handle "+
		"io.vertx.core.http.impl.Http1xServerConnection.handleMessage io.netty.channel.AbstractChannelHandlerContext.invokeChannelRead java.lang.Thread.run", "shop.Api.order")
	f("java.lang.Thread.sleep! shop.Api.order jdk.internal.reflect.DirectMethodHandleAccessor.invoke org.springframework.web.reactive.DispatcherHandler.handle "+
		"reactor.core.publisher.Mono.subscribe reactor.netty.http.server.HttpServerOperations.onInboundNext io.netty.channel.AbstractChannelHandlerContext.invokeChannelRead "+
		"java.lang.Thread.run", "shop.Api.order")
	f("java.lang.Thread.sleep! shop.Api.order shop.Api$quarkusrestinvoker$order_a5089ee7393c1d22f52b9594b4f1b95d4accc715.invoke "+
		"org.jboss.resteasy.reactive.server.handlers.InvocationHandler.handle io.quarkus.resteasy.reactive.server.runtime.QuarkusResteasyReactiveRequestContext.invokeHandler "+
		"org.jboss.resteasy.reactive.common.core.AbstractResteasyReactiveContext.run io.quarkus.vertx.core.runtime.VertxCoreRecorder$14.runWith "+
		"org.jboss.threads.EnhancedQueueExecutor$Task.run org.jboss.threads.EnhancedQueueExecutor$ThreadBody.run java.lang.Thread.run", "shop.Api.order")
	f("java.lang.Thread.sleep! shop.Orders.place io.grpc.stub.ServerCalls$UnaryServerCallHandler$UnaryServerCallListener.onHalfClose "+
		"io.grpc.internal.ServerCallImpl$ServerStreamListenerImpl.halfClosed io.grpc.internal.ServerImpl$JumpToApplicationThreadServerStreamListener$1HalfClosed.runInContext "+
		"io.grpc.internal.SerializingExecutor.run java.util.concurrent.ThreadPoolExecutor.runWorker java.lang.Thread.run", "shop.Orders.place")
	f("java.lang.Thread.sleep! shop.Api.order io.javalin.router.Endpoint.handle io.javalin.jetty.JavalinJettyServlet.service jakarta.servlet.http.HttpServlet.service "+
		"org.eclipse.jetty.server.Server.handle java.lang.Thread.run", "shop.Api.order")
	f("java.lang.Thread.sleep! shop.Api.order org.glassfish.jersey.servlet.ServletContainer.service io.dropwizard.jetty.RoutingHandler.handle "+
		"org.eclipse.jetty.server.Server.handle java.lang.Thread.run", "shop.Api.order")
	f("java.lang.Thread.sleep! shop.Orders.slow shop.$Orders$Definition$Exec.dispatch io.micronaut.context.AbstractExecutableMethodsDefinition$DispatchedExecutableMethod.invokeUnsafe "+
		"io.micronaut.web.router.AbstractRouteMatch.execute io.micronaut.http.server.RouteExecutor.executeRouteAndConvertBody io.micronaut.core.propagation.PropagatedContext.lambda$wrap$3 "+
		"java.util.concurrent.ThreadPoolExecutor.runWorker java.lang.Thread.run", "shop.Orders.slow")
	f("java.lang.Thread.sleep! shop.ApiKt.order shop.ApiKt$routes$1$1.invokeSuspend io.ktor.server.routing.RoutingNode$buildPipeline$1$1.invokeSuspend "+
		"io.ktor.util.pipeline.SuspendFunctionGun.proceed io.ktor.server.engine.DefaultEnginePipelineKt$defaultEnginePipeline$1.invoke "+
		"kotlinx.coroutines.DispatchedTask.run kotlinx.coroutines.scheduling.CoroutineScheduler$Worker.run", "shop.ApiKt$routes$1$1.invokeSuspend")
	f("java.lang.Thread.sleep! shop.Mail$send$1.invokeSuspend kotlin.coroutines.jvm.internal.BaseContinuationImpl.resumeWith kotlinx.coroutines.DispatchedTask.run "+
		"kotlinx.coroutines.scheduling.CoroutineScheduler$Worker.run", "")
	f("sun.nio.ch.EPoll.wait! io.netty.channel.nio.NioEventLoop.run java.lang.Thread.run", "")
}

// TestAThreadThatTheApplicationRenames: Dropwizard names a thread after the request in hand.
func TestAThreadThatTheApplicationRenames(t *testing.T) {
	t.Parallel()
	w, tracker := tx.NewWorkerThreads(), newTracker(3*time.Second)
	th := &jvm.Thread{ID: 5, Name: "dw-20 - GET /orders/7", State: jvm.TimedWaiting, CPUNs: jvm.Some[int64](7)}
	stacked := *th
	stacked.Stack = stack("java.lang.Thread.sleep! shop.Api.order org.eclipse.jetty.server.Server.handle java.lang.Thread.run")
	rows := w.Rows(map[int64]*jvm.Thread{5: th}, map[int64]*jvm.Thread{5: &stacked}, nil, false)
	tracker.Requests(&jvm.Requests{Sent: epoch(), Received: epoch(), StartMs: jvm.Some[int64](1), Processors: rows})
	inFlight := tracker.InFlight(epoch())
	require.Len(t, inFlight, 1)
	assert.Equal(t, int64(5), inFlight[0].ThreadID, "whatever its name in the list of threads")
	assert.Equal(t, th.Name, inFlight[0].Thread)
}

// TestAWorkerOfJBossAtRest: its tasks run below the call that waits for them.
func TestAWorkerOfJBossAtRest(t *testing.T) {
	t.Parallel()
	const body = "org.jboss.threads.EnhancedQueueExecutor$ThreadBody.run java.lang.Thread.run"
	for calls, works := range map[string]bool{
		"jdk.internal.misc.Unsafe.park! java.util.concurrent.locks.LockSupport.parkNanos org.jboss.threads.EnhancedQueueExecutor$PoolThreadNode.park " + body:                         false,
		"java.lang.Thread.sleep! shop.Api.order org.jboss.resteasy.reactive.common.core.AbstractResteasyReactiveContext.run org.jboss.threads.EnhancedQueueExecutor$Task.run " + body: true,
	} {
		tracker := newTracker(3 * time.Second)
		row := jvm.RequestProcessor{Name: "p", Stage: jvm.StageService, Thread: "default task-1", Path: "/x"}
		tracker.Requests(&jvm.Requests{Sent: epoch(), Received: epoch(), StartMs: jvm.Some[int64](1), Processors: []jvm.RequestProcessor{row}})
		key := tracker.InFlight(epoch())[0].Key
		th := &jvm.Thread{ID: 5, Stack: stack(calls)}
		tracker.Sample(key, epoch(), th, th)
		assert.Equal(t, works, tracker.InFlight(epoch())[0].Sampled, calls)
	}
}

// TestRequestsInARowAreNoHang: what stacks alone show for long may be one request or many of a kind;
// only a thread that stands still is sure to be at one.
func TestRequestsInARowAreNoHang(t *testing.T) {
	t.Parallel()
	for _, moves := range []bool{true, false} {
		w, tracker := tx.NewWorkerThreads(), newTracker(3*time.Second)
		var at time.Time
		for i := range int64(10) {
			at = epoch().Add(time.Duration(i) * time.Second)
			th := &jvm.Thread{ID: 5, Name: "qtp12-34", State: jvm.Runnable, CPUNs: jvm.Some[int64](7)}
			if moves {
				th.CPUNs = jvm.Some(i)
			}
			stacked := *th
			stacked.Stack = stack("sun.nio.ch.Net.poll! org.postgresql.core.PGStream.receiveChar shop.OrderServlet.doGet javax.servlet.http.HttpServlet.service java.lang.Thread.run")
			rows := w.Rows(map[int64]*jvm.Thread{5: th}, map[int64]*jvm.Thread{5: &stacked}, nil, false)
			tracker.Requests(&jvm.Requests{Sent: at, Received: at, StartMs: jvm.Some[int64](1), Processors: rows})
			for _, wanted := range tracker.InFlight(at) {
				if !tracker.Unmoved(wanted.Key, at, jvm.Used{CPUNs: th.CPUNs}) {
					tracker.Sample(wanted.Key, at, th, &stacked)
				}
			}
		}
		a := tracker.Active(at)[0]
		assert.Equal(t, int64(9000), a.ElapsedMs)
		assert.Equal(t, map[bool]int64{true: 0, false: 9000}[moves], a.SureMs(), "moves: %v", moves)
		a.Source = tx.SourceTomcat
		assert.Equal(t, int64(9000), a.SureMs(), "a server's own word")
	}
}

// BenchmarkIsWorker asks of each of a broker's hundred threads, as each look does.
func BenchmarkIsWorker(b *testing.B) {
	w := tx.NewWorkerThreads()
	names := make([]string, 100)
	for i := range names {
		names[i] = fmt.Sprintf("data-plane-kafka-request-handler-%d", i)
	}
	for b.Loop() {
		for _, name := range names {
			w.IsWorker(name)
		}
	}
}
