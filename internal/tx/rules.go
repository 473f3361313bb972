package tx

import "sync"

// rule gives the class of a call whose name, Class.method, begins with prefix.
type rule struct {
	class  Class
	prefix string
}

// rules are looked through from top to bottom for each call, the innermost call
// first: the first match is the stack's meaning. What is narrower stands before
// what is wider.
var rules = sync.OnceValue(func() []rule {
	return []rule{
		// A connection of a pool. The pools of HTTP clients stand before their
		// clients.
		{ClassPool, "com.zaxxer.hikari.util.ConcurrentBag.borrow"},
		{ClassPool, "com.zaxxer.hikari.pool.HikariPool."},
		{ClassPool, "com.zaxxer.hikari.HikariDataSource.getConnection"},
		{ClassPool, "org.apache.tomcat.jdbc.pool.FairBlockingQueue."},
		{ClassPool, "org.apache.tomcat.jdbc.pool.MultiLockFairBlockingQueue."},
		{ClassPool, "org.apache.tomcat.jdbc.pool.ConnectionPool.borrowConnection"},
		{ClassPool, "org.apache.tomcat.dbcp.pool2.impl."},
		{ClassPool, "org.apache.commons.pool2.impl."},
		{ClassPool, "org.apache.commons.pool.impl."},
		{ClassPool, "org.apache.tomcat.dbcp.pool.impl."},
		{ClassPool, "com.mchange.v2.resourcepool.BasicResourcePool.awaitAvailable"},
		{ClassPool, "com.alibaba.druid.pool.DruidDataSource.takeLast"},
		{ClassPool, "com.alibaba.druid.pool.DruidDataSource.pollLast"},
		{ClassPool, "io.agroal.pool.ConnectionPool."},
		{ClassPool, "org.vibur.objectpool."},
		{ClassPool, "oracle.ucp."},
		{ClassPool, "weblogic.common.resourcepool."},
		{ClassPool, "org.jboss.jca.core.connectionmanager.pool."},
		{ClassPool, "com.ibm.ejs.j2c.FreePool."},
		{ClassPool, "org.apache.http.pool."},
		{ClassPool, "org.apache.http.impl.conn.PoolingHttpClientConnectionManager.lease"},
		{ClassPool, "org.apache.hc.core5.pool."},
		{ClassPool, "org.apache.commons.httpclient.MultiThreadedHttpConnectionManager.doGetConnection"},

		{ClassSQL, "org.postgresql."}, {ClassSQL, "com.impossibl.postgres."}, {ClassSQL, "com.edb."},
		{ClassSQL, "com.mysql."}, {ClassSQL, "org.mariadb."}, {ClassSQL, "org.drizzle."},
		{ClassSQL, "oracle.jdbc."}, {ClassSQL, "oracle.net."},
		{ClassSQL, "com.microsoft.sqlserver.jdbc."}, {ClassSQL, "net.sourceforge.jtds."},
		{ClassSQL, "com.ibm.db2."}, {ClassSQL, "com.tmax.tibero."}, {ClassSQL, "cubrid.jdbc."},
		{ClassSQL, "Altibase.jdbc."}, {ClassSQL, "com.sap.db.jdbc."}, {ClassSQL, "com.sybase."},
		{ClassSQL, "org.h2."}, {ClassSQL, "org.hsqldb."}, {ClassSQL, "org.apache.derby."}, {ClassSQL, "org.sqlite."},
		{ClassSQL, "com.clickhouse."}, {ClassSQL, "ru.yandex.clickhouse."}, {ClassSQL, "org.firebirdsql."},
		{ClassSQL, "com.informix."}, {ClassSQL, "com.teradata."}, {ClassSQL, "net.snowflake."},

		{ClassStore, "redis.clients."}, {ClassStore, "io.lettuce."}, {ClassStore, "org.redisson."},
		{ClassStore, "com.mongodb."}, {ClassStore, "com.datastax."}, {ClassStore, "net.spy.memcached."},
		{ClassStore, "net.rubyeye.xmemcached."}, {ClassStore, "com.couchbase."}, {ClassStore, "com.hazelcast."},
		{ClassStore, "org.infinispan.client."}, {ClassStore, "org.apache.ignite."}, {ClassStore, "org.elasticsearch.client."},
		{ClassStore, "co.elastic.clients."}, {ClassStore, "org.apache.zookeeper."}, {ClassStore, "org.apache.hadoop.hbase."},

		{ClassMessaging, "org.apache.kafka."}, {ClassMessaging, "com.rabbitmq."}, {ClassMessaging, "org.apache.activemq."},
		{ClassMessaging, "org.apache.pulsar."}, {ClassMessaging, "org.apache.rocketmq."}, {ClassMessaging, "com.ibm.mq."},
		{ClassMessaging, "com.ibm.msg."}, {ClassMessaging, "com.tibco."}, {ClassMessaging, "com.solacesystems."},
		{ClassMessaging, "io.nats."}, {ClassMessaging, "weblogic.jms."}, {ClassMessaging, "org.hornetq."},

		{ClassHTTP, "sun.net.www.protocol.http"}, {ClassHTTP, "sun.net.www.http."}, {ClassHTTP, "jdk.internal.net.http."},
		{ClassHTTP, "org.apache.http."}, {ClassHTTP, "org.apache.hc."}, {ClassHTTP, "org.apache.commons.httpclient."},
		{ClassHTTP, "okhttp3."}, {ClassHTTP, "com.squareup.okhttp."}, {ClassHTTP, "reactor.netty.http.client."},
		{ClassHTTP, "org.asynchttpclient."}, {ClassHTTP, "com.ning.http.client."}, {ClassHTTP, "org.eclipse.jetty.client."},
		{ClassHTTP, "io.grpc.stub.ClientCalls"}, {ClassHTTP, "feign."}, {ClassHTTP, "retrofit2."},
		{ClassHTTP, "org.springframework.web.client."}, {ClassHTTP, "org.springframework.web.reactive.function.client."},
		{ClassHTTP, "com.google.api.client.http."}, {ClassHTTP, "org.apache.cxf.transport.http."},

		{ClassLogging, "ch.qos.logback."}, {ClassLogging, "org.apache.logging.log4j."}, {ClassLogging, "org.apache.log4j."},
		{ClassLogging, "java.util.logging."}, {ClassLogging, "org.apache.juli."}, {ClassLogging, "org.jboss.logmanager."},
		{ClassLogging, "org.tinylog."}, {ClassLogging, "com.lmax.disruptor.RingBuffer."},

		// The request's own socket.
		{ClassClient, "org.apache.tomcat.util.net."}, {ClassClient, "org.apache.coyote."},
		{ClassClient, "org.apache.catalina.connector."},
		{ClassClient, "org.eclipse.jetty.server.HttpInput."}, {ClassClient, "org.eclipse.jetty.server.HttpOutput."},
		{ClassClient, "io.undertow.servlet.spec.ServletInputStreamImpl."}, {ClassClient, "io.undertow.servlet.spec.ServletOutputStreamImpl."},
		{ClassClient, "io.undertow.io."}, {ClassClient, "weblogic.servlet.internal.ServletInputStream"},
		{ClassClient, "weblogic.servlet.internal.ServletOutputStream"},

		{ClassLock, "java.util.concurrent.locks.ReentrantLock"},
		{ClassLock, "java.util.concurrent.locks.ReentrantReadWriteLock"},
		{ClassLock, "java.util.concurrent.locks.StampedLock"},
		{ClassLock, "java.lang.ClassLoader.loadClass"},

		{ClassFile, "java.io.FileInputStream."}, {ClassFile, "java.io.FileOutputStream."}, {ClassFile, "java.io.RandomAccessFile."},
		{ClassFile, "java.io.FileDescriptor."}, {ClassFile, "java.io.UnixFileSystem."}, {ClassFile, "java.io.WinNTFileSystem."},
		{ClassFile, "sun.nio.ch.FileChannelImpl."}, {ClassFile, "sun.nio.ch.FileDispatcherImpl."},
		{ClassFile, "sun.nio.ch.UnixFileDispatcherImpl."}, {ClassFile, "sun.nio.fs."}, {ClassFile, "java.nio.MappedByteBuffer."},
		{ClassFile, "java.nio.MappedMemoryUtils."}, {ClassFile, "java.util.zip.ZipFile"},

		{ClassNetwork, "sun.nio.ch."}, {ClassNetwork, "java.net."}, {ClassNetwork, "sun.security.ssl."},
	}
})

// libraries are the prefixes of what no application calls its own: containers,
// frameworks, libraries, the JDK. Calls of other packages are the application's, unless a
// rule is for them.
var libraries = sync.OnceValue(func() []string {
	return []string{
		"java.", "javax.", "jakarta.", "jdk.", "sun.", "com.sun.",
		"org.apache.", "org.springframework.", "org.hibernate.", "org.eclipse.", "org.glassfish.", "org.jboss.", "org.wildfly.",
		"io.undertow.", "io.netty.", "reactor.", "io.micrometer.", "io.opentelemetry.", "org.slf4j.", "kotlin.", "kotlinx.", "scala.",
		"groovy.", "org.codehaus.", "com.fasterxml.", "com.google.", "com.zaxxer.", "com.mchange.", "com.alibaba.druid.",
		"org.mybatis.", "org.jooq.", "com.querydsl.", "org.aspectj.", "net.sf.cglib.", "net.bytebuddy.", "org.objenesis.",
		"weblogic.", "jeus.", "com.ibm.", "com.tmax.", "com.oracle.", "oracle.", "org.xnio.", "io.vertx.", "io.quarkus.", "io.helidon.", "io.smallrye.",
		"io.dropwizard.", "io.javalin.", "io.grpc.", "io.micronaut.", "com.linecorp.armeria.", "io.ktor.", "akka.",
		"com.bea.", "io.openliberty.", "fish.payara.", "org.jolokia.", "okio.", "rx.", "io.reactivex.", "net.jodah.", "io.github.resilience4j.",
	}
})
