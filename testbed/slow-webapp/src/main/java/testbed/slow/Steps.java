package testbed.slow;

import java.io.File;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.StandardOpenOption;
import java.sql.Connection;
import java.sql.Statement;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executors;
import java.util.concurrent.locks.ReentrantLock;

import javax.sql.DataSource;

import com.sun.net.httpserver.HttpServer;
import com.zaxxer.hikari.HikariDataSource;

/** What a request can be told to do. */
final class Steps {
    private final DataSource wide;
    private final DataSource narrow;
    private final DataSource narrowOfTomcat;
    private final File folder;
    private final URI peer;
    private final String database;
    /** The call that makes the database wait for some seconds. */
    private final String sleep;
    private final HttpClient client = HttpClient.newHttpClient();
    private final Object monitor = new Object();
    private final ReentrantLock lock = new ReentrantLock();

    Steps(String jdbcURL, File folder) throws Exception {
        this.folder = folder;
        sleep = jdbcURL.startsWith("jdbc:postgresql:") ? "pg_sleep" : "sleep";
        database = URI.create(jdbcURL.substring("jdbc:".length())).getAuthority();
        wide = pool(jdbcURL, "wide", 20);
        narrow = pool(jdbcURL, "narrow", 1);
        org.apache.tomcat.jdbc.pool.DataSource tomcat = new org.apache.tomcat.jdbc.pool.DataSource();
        tomcat.setUrl(jdbcURL);
        tomcat.setMaxActive(1);
        tomcat.setInitialSize(1);
        tomcat.setMaxWait(60_000);
        narrowOfTomcat = tomcat;
        peer = servePeer();
    }

    private static DataSource pool(String url, String name, int size) {
        HikariDataSource pool = new HikariDataSource();
        pool.setJdbcUrl(url);
        pool.setPoolName(name);
        pool.setMaximumPoolSize(size);
        pool.setMinimumIdle(1);
        pool.setConnectionTimeout(60_000);
        pool.setRegisterMbeans(true);
        return pool;
    }

    /** An HTTP server that answers after as many milliseconds as its path says. */
    private static URI servePeer() throws Exception {
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 100);
        server.setExecutor(Executors.newCachedThreadPool(task -> {
            Thread thread = new Thread(task, "peer");
            thread.setDaemon(true);
            return thread;
        }));
        server.createContext("/", exchange -> {
            try {
                Thread.sleep(Long.parseLong(exchange.getRequestURI().getPath().substring(1)));
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            exchange.sendResponseHeaders(204, -1);
            exchange.close();
        });
        server.start();
        return URI.create("http://127.0.0.1:" + server.getAddress().getPort() + "/");
    }

    /** The class of the time that a step does not account for itself. */
    static String classOf(String kind) {
        switch (kind) {
            case "cpu":
            case "gc":
                return "stalled"; // for want of a processor, or by the collector
            case "narrow":
            case "narrowtomcat":
                return "sql";
            case "httpclient":
                return "http";
            case "sync":
            case "reentrant":
            case "sleep":
                return "wait";
            default:
                return kind;
        }
    }

    /**
     * Runs a step; returns the milliseconds by class of parts that are not its own class. name is
     * unique; the step's statement has it. Waits for others are added to waits.
     */
    Map<String, Double> run(String kind, long ms, String name, List<Wait> waits) throws Exception {
        switch (kind) {
            case "cpu":
                Work.burn(ms);
                return Map.of();
            case "gc":
                Work.collect(ms);
                return Map.of();
            case "sql":
                return query(wide, ms, name, waits);
            case "narrow":
                return query(narrow, ms, name, waits);
            case "narrowtomcat":
                return query(narrowOfTomcat, ms, name, waits);
            case "http":
                return get(ms, waits);
            case "httpclient":
                long start = System.nanoTime();
                client.send(HttpRequest.newBuilder(peer.resolve(Long.toString(ms))).build(), HttpResponse.BodyHandlers.discarding());
                waits.add(new Wait(peer.getAuthority(), "", (System.nanoTime() - start) / 1e6, true));
                return Map.of();
            case "file":
                write(ms);
                return Map.of();
            case "sleep":
                Thread.sleep(ms);
                return Map.of();
            case "sync":
                return holdMonitor(ms);
            case "reentrant":
                return holdLock(ms);
            default:
                throw new IllegalArgumentException("no such step: " + kind);
        }
    }

    /** Gets a connection, which may take long, and has the database wait. */
    private Map<String, Double> query(DataSource pool, long ms, String name, List<Wait> waits) throws Exception {
        Meter meter = new Meter();
        try (Connection connection = pool.getConnection()) {
            double waitedMs = meter.waitedMs();
            try (Statement statement = connection.createStatement()) {
                String sql = "select " + sleep + "(" + ms / 1000.0 + ") as " + name;
                long start = System.nanoTime();
                statement.execute(sql);
                waits.add(new Wait(database, sql, (System.nanoTime() - start) / 1e6, false));
            }
            return Map.of("pool", waitedMs);
        }
    }

    private Map<String, Double> get(long ms, List<Wait> waits) throws Exception {
        long start = System.nanoTime();
        HttpURLConnection connection = (HttpURLConnection) peer.resolve(Long.toString(ms)).toURL().openConnection();
        if (connection.getResponseCode() != 204) {
            throw new IllegalStateException("the peer failed");
        }
        try (InputStream body = connection.getInputStream()) {
            body.readAllBytes();
        }
        waits.add(new Wait(peer.getAuthority(), "", (System.nanoTime() - start) / 1e6, false));
        return Map.of();
    }

    /** Writes to the disk, and waits for it, over and over. */
    private void write(long ms) throws Exception {
        long end = System.nanoTime() + ms * 1_000_000;
        File file = File.createTempFile("step", ".bin", folder);
        try (FileChannel channel = FileChannel.open(file.toPath(), StandardOpenOption.WRITE, StandardOpenOption.DELETE_ON_CLOSE)) {
            ByteBuffer block = ByteBuffer.allocateDirect(1 << 20);
            while (System.nanoTime() < end) {
                block.clear();
                channel.write(block, 0);
                channel.force(true);
            }
        }
    }

    /** Waits for the one monitor of all requests, and sleeps with it. */
    private Map<String, Double> holdMonitor(long ms) throws InterruptedException {
        Meter meter = new Meter();
        synchronized (monitor) {
            double waitedMs = meter.waitedMs();
            Thread.sleep(ms);
            return Map.of("lock", waitedMs);
        }
    }

    /** The same with a ReentrantLock. */
    private Map<String, Double> holdLock(long ms) throws InterruptedException {
        Meter meter = new Meter();
        lock.lock();
        try {
            double waitedMs = meter.waitedMs();
            Thread.sleep(ms);
            return Map.of("lock", waitedMs);
        } finally {
            lock.unlock();
        }
    }
}
