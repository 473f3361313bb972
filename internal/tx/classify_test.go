package tx_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/internal/tx"
)

// stack has a call a word, the innermost first; a final "!" marks a native one.
func stack(calls string) []jvm.Frame {
	var frames []jvm.Frame
	for _, call := range strings.Fields(calls) {
		name, native := strings.CutSuffix(call, "!")
		dot := strings.LastIndexByte(name, '.')
		frames = append(frames, jvm.Frame{Class: name[:dot], Method: name[dot+1:], Native: native, Line: 1})
	}
	return frames
}

const servlet = " shop.OrderService.load shop.OrderServlet.doGet javax.servlet.http.HttpServlet.service org.apache.catalina.core.StandardWrapperValve.invoke org.apache.coyote.http11.Http11Processor.service java.lang.Thread.run"

func TestClasses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		state jvm.ThreadState
		calls string
		want  tx.Class
	}{
		{"cpu", jvm.Runnable, "java.util.HashMap.get", tx.ClassCPU},
		{"cpu in the application", jvm.Runnable, "", tx.ClassCPU},
		{"cpu in a driver", jvm.Runnable, "java.lang.String.<init> org.postgresql.core.Encoding.decode org.postgresql.jdbc.PgResultSet.getString", tx.ClassCPU},
		{"native computing", jvm.Runnable, "java.util.zip.Inflater.inflateBytesBytes! java.util.zip.Inflater.inflate", tx.ClassCPU},
		{"sql, JDK 8", jvm.Runnable, "java.net.SocketInputStream.socketRead0! java.net.SocketInputStream.read org.postgresql.core.VisibleBufferedInputStream.readMore", tx.ClassSQL},
		{"sql, JDK 17", jvm.Runnable, "sun.nio.ch.Net.poll! sun.nio.ch.NioSocketImpl.park java.net.Socket$SocketInputStream.read com.mysql.cj.protocol.ReadAheadInputStream.fill", tx.ClassSQL},
		{"sql by tls", jvm.Runnable, "sun.nio.ch.Net.poll! sun.security.ssl.SSLSocketInputRecord.read oracle.net.ns.Packet.receive oracle.jdbc.driver.T4CPreparedStatement.doOall8", tx.ClassSQL},
		{"sql through a pool", jvm.Runnable, "sun.nio.ch.Net.poll! org.postgresql.core.PGStream.receiveChar com.zaxxer.hikari.pool.ProxyPreparedStatement.executeQuery", tx.ClassSQL},
		{"sql in a file", jvm.Runnable, "java.io.RandomAccessFile.readBytes! org.h2.store.fs.FilePathDisk.read", tx.ClassSQL},
		{"hikari", jvm.TimedWaiting, "jdk.internal.misc.Unsafe.park! java.util.concurrent.SynchronousQueue.poll com.zaxxer.hikari.util.ConcurrentBag.borrow com.zaxxer.hikari.pool.HikariPool.getConnection", tx.ClassPool},
		{"tomcat-jdbc", jvm.TimedWaiting, "sun.misc.Unsafe.park! java.util.concurrent.CountDownLatch.await org.apache.tomcat.jdbc.pool.FairBlockingQueue.poll", tx.ClassPool},
		{"dbcp2", jvm.Waiting, "jdk.internal.misc.Unsafe.park! java.util.concurrent.locks.AbstractQueuedSynchronizer$ConditionObject.await org.apache.commons.pool2.impl.LinkedBlockingDeque.takeFirst", tx.ClassPool},
		{"dbcp1, locked", jvm.Blocked, "org.apache.commons.pool.impl.GenericObjectPool.borrowObject", tx.ClassPool},
		{"c3p0", jvm.Waiting, "java.lang.Object.wait! com.mchange.v2.resourcepool.BasicResourcePool.awaitAvailable", tx.ClassPool},
		{"druid", jvm.Waiting, "jdk.internal.misc.Unsafe.park! com.alibaba.druid.pool.DruidDataSource.takeLast", tx.ClassPool},
		{"pool of an http client", jvm.Waiting, "jdk.internal.misc.Unsafe.park! org.apache.http.pool.AbstractConnPool.getPoolEntryBlocking org.apache.http.impl.client.CloseableHttpClient.execute", tx.ClassPool},
		{"http url connection", jvm.Runnable, "sun.nio.ch.Net.poll! sun.nio.ch.NioSocketImpl.read sun.net.www.http.HttpClient.parseHTTP sun.net.www.protocol.http.HttpURLConnection.getInputStream", tx.ClassHTTP},
		{"java.net.http", jvm.Waiting, "jdk.internal.misc.Unsafe.park! java.util.concurrent.CompletableFuture.get jdk.internal.net.http.HttpClientImpl.send", tx.ClassHTTP},
		{"okhttp", jvm.Runnable, "java.net.SocketInputStream.socketRead0! okio.Okio$2.read okhttp3.internal.http1.Http1ExchangeCodec.readResponseHeaders", tx.ClassHTTP},
		{"kafka", jvm.TimedWaiting, "java.lang.Object.wait! org.apache.kafka.clients.producer.internals.FutureRecordMetadata.get", tx.ClassMessaging},
		{"redis", jvm.Runnable, "java.net.SocketInputStream.socketRead0! redis.clients.jedis.util.RedisInputStream.ensureFill", tx.ClassStore},
		{"monitor", jvm.Blocked, "", tx.ClassLock},
		{"reentrant lock", jvm.Waiting, "jdk.internal.misc.Unsafe.park! java.util.concurrent.locks.LockSupport.park java.util.concurrent.locks.AbstractQueuedSynchronizer.acquire java.util.concurrent.locks.ReentrantLock.lock", tx.ClassLock},
		{"lock of a driver", jvm.Waiting, "jdk.internal.misc.Unsafe.park! java.util.concurrent.locks.ReentrantLock$Sync.lock java.util.concurrent.locks.ReentrantLock.lock org.postgresql.jdbc.ResourceLock.obtain org.postgresql.jdbc.PgConnection.prepareStatement", tx.ClassLock},
		{"appender", jvm.Blocked, "org.apache.log4j.Category.callAppenders org.apache.log4j.Category.info", tx.ClassLogging},
		{"log file", jvm.Runnable, "java.io.FileOutputStream.writeBytes! java.io.FileOutputStream.write ch.qos.logback.core.recovery.ResilientOutputStreamBase.write", tx.ClassLogging},
		{"file", jvm.Runnable, "java.io.FileInputStream.readBytes! java.io.FileInputStream.read", tx.ClassFile},
		{"fsync", jvm.Runnable, "sun.nio.ch.FileDispatcherImpl.force0! sun.nio.ch.FileChannelImpl.force", tx.ClassFile},
		{"plain socket", jvm.Runnable, "sun.nio.ch.Net.poll! sun.nio.ch.NioSocketImpl.park java.net.Socket$SocketInputStream.read", tx.ClassNetwork},
		{"slow client", jvm.Waiting, "jdk.internal.misc.Unsafe.park! org.apache.tomcat.util.net.NioEndpoint$NioSocketWrapper.doWrite org.apache.catalina.connector.OutputBuffer.flush", tx.ClassClient},
		{"sleep", jvm.TimedWaiting, "java.lang.Thread.sleep!", tx.ClassWait},
		{"future", jvm.Waiting, "jdk.internal.misc.Unsafe.park! java.util.concurrent.FutureTask.get", tx.ClassWait},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			th := &jvm.Thread{ID: 9, Name: "p-thread", State: c.state, Stack: stack(c.calls + servlet)}
			class, frame := classOf(t, th)
			assert.Equal(t, c.want, class)
			assert.Equal(t, "shop.OrderService.load", frame)
		})
	}
}

// TestClassesOfLogging is about appenders that the application wrote itself.
func TestClassesOfLogging(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		state jvm.ThreadState
		calls string
		want  tx.Class
	}{
		{"asleep", jvm.TimedWaiting, "java.lang.Thread.sleep! shop.log.Audit.publish java.util.logging.Logger.log", tx.ClassLogging},
		{"its monitor", jvm.Blocked, "shop.log.Audit.publish java.util.logging.Logger.log", tx.ClassLogging},
		{"its lock", jvm.Waiting, "jdk.internal.misc.Unsafe.park! java.util.concurrent.locks.ReentrantLock.lock shop.log.Audit.append ch.qos.logback.core.AppenderBase.doAppend", tx.ClassLogging},
		{"to another host", jvm.Runnable, "sun.nio.ch.Net.poll! sun.net.www.http.HttpClient.parseHTTP shop.log.Audit.append ch.qos.logback.core.AppenderBase.doAppend", tx.ClassHTTP},
		{"at work", jvm.Runnable, "java.util.HashMap.get shop.log.Audit.append ch.qos.logback.core.AppenderBase.doAppend", tx.ClassCPU},
		{"no log of the application's", jvm.TimedWaiting, "java.lang.Thread.sleep! shop.log.Audit.wait org.apache.catalina.core.StandardWrapperValve.invoke org.apache.juli.FileHandler.publish", tx.ClassWait},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			class, _ := classOf(t, &jvm.Thread{ID: 9, Name: "p-thread", State: c.state, Stack: stack(c.calls + servlet)})
			assert.Equal(t, c.want, class)
		})
	}
}

// classOf has a tracker look at a thread once, and returns its class and its call.
func classOf(t *testing.T, th *jvm.Thread) (class tx.Class, frame string) {
	t.Helper()
	tracker := newTracker(3 * time.Second)
	require.Empty(t, tracker.Requests(look(1000, 0, worker{"p", []request{{start: 500, end: 90_000, path: "/x"}}})))
	wanted := tracker.InFlight(epoch().Add(1100 * time.Millisecond))
	require.Len(t, wanted, 1)
	tracker.Sample(wanted[0].Key, epoch().Add(1100*time.Millisecond), th, th)
	active := tracker.Active(epoch().Add(1200 * time.Millisecond))
	require.Len(t, active, 1)
	return active[0].Class, active[0].Frame
}

// TestClassesWithoutAnApplicationsCall: the server's own calls around a request are no wait for the client.
func TestClassesWithoutAnApplicationsCall(t *testing.T) {
	t.Parallel()
	f := func(calls string, state jvm.ThreadState, wantClass tx.Class, wantFrame string) {
		t.Helper()
		const outer = " org.apache.catalina.core.ApplicationFilterChain.doFilter org.apache.catalina.core.StandardWrapperValve.invoke org.apache.catalina.connector.CoyoteAdapter.service " +
			"org.apache.coyote.http11.Http11Processor.service org.apache.tomcat.util.net.NioEndpoint$SocketProcessor.doRun java.lang.Thread.run"
		class, frame := classOf(t, &jvm.Thread{ID: 9, Name: "p-thread", State: state, Stack: stack(calls + outer)})
		assert.Equal(t, wantClass, class, calls)
		assert.Equal(t, wantFrame, frame, calls)
	}
	f("java.lang.Thread.sleep! org.apache.jsp.slow_jsp._jspService org.apache.jasper.runtime.HttpJspBase.service javax.servlet.http.HttpServlet.service", jvm.TimedWaiting, tx.ClassWait, "org.apache.jsp.slow_jsp._jspService")
	f("java.lang.Thread.sleep! org.apache.solr.Search.wait javax.servlet.http.HttpServlet.service", jvm.TimedWaiting, tx.ClassWait, "java.lang.Thread.sleep")
	f("jdk.internal.misc.Unsafe.park! org.apache.tomcat.util.net.NioEndpoint$NioSocketWrapper.doWrite org.apache.catalina.connector.OutputBuffer.flush org.apache.catalina.servlets.DefaultServlet.doGet", jvm.Waiting, tx.ClassClient, "jdk.internal.misc.Unsafe.park")
	f("jdk.internal.misc.Unsafe.park! org.apache.tomcat.util.net.NioEndpoint$NioSocketWrapper.doWrite org.apache.catalina.servlets.DefaultServlet.doGet org.apache.catalina.core.ApplicationFilterChain.doFilter shop.Filter.doFilter", jvm.Waiting, tx.ClassClient, "shop.Filter.doFilter")
}

func TestAnIdleWorkerIsNobodysStack(t *testing.T) {
	t.Parallel()
	tracker := newTracker(3 * time.Second)
	require.Empty(t, tracker.Requests(look(1000, 0, worker{"p", []request{{start: 500, end: 90_000, path: "/x"}}})))
	key := tracker.InFlight(epoch().Add(time.Second))[0].Key
	th := &jvm.Thread{ID: 9, State: jvm.Waiting, Stack: stack("jdk.internal.misc.Unsafe.park! java.util.concurrent.LinkedBlockingQueue.take org.apache.tomcat.util.threads.ThreadPoolExecutor.getTask java.lang.Thread.run")}
	tracker.Sample(key, epoch().Add(time.Second), th, th)
	assert.Empty(t, tracker.Active(epoch())[0].Class)
	assert.Equal(t, int64(1), tracker.Stats().Foreign)
}
