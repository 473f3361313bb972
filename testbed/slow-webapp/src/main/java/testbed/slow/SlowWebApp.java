package testbed.slow;

import java.io.File;
import java.lang.management.ManagementFactory;
import java.util.concurrent.CountDownLatch;

import org.apache.catalina.Context;
import org.apache.catalina.Wrapper;
import org.apache.catalina.connector.Connector;
import org.apache.catalina.startup.Tomcat;
import org.apache.coyote.http2.Http2Protocol;

/**
 * A web application on embedded Tomcat whose requests take as long as they are
 * told to: {@code GET /run/NAME/ID?steps=sql:1000,cpu:500}. It writes a line for
 * each of them to a log of its own, with what each step really took.
 *
 * <p>System properties:
 * <ul>
 * <li>{@code slow.jdbc.url}: the database, required
 * <li>{@code slow.http.port}: 0, the default, is any free port
 * <li>{@code slow.base}: a working folder, required; the log is {@code truth.log} in it
 * <li>{@code slow.threads}: Tomcat's workers, 64
 * <li>{@code slow.http2}: true for HTTP/2 without TLS beside HTTP/1.1
 * <li>{@code slow.virtual}: true for virtual threads, on Tomcat 10.1 and 11 with Java 21
 * <li>{@code slow.contention}: true to have the JVM measure the time that threads are blocked
 * <li>{@code slow.domain}: the name of the engine, and of the MBeans' domain, Tomcat
 * </ul>
 *
 * <p>Prints {@code READY http=PORT} on standard output once it answers.
 */
public final class SlowWebApp {
    private SlowWebApp() {
    }

    public static void main(String[] args) throws Exception {
        File base = new File(required("slow.base"));
        File documents = new File(base, "documents");
        if (!documents.isDirectory() && !documents.mkdirs()) {
            throw new IllegalStateException("cannot create " + documents);
        }
        ManagementFactory.getThreadMXBean().setThreadContentionMonitoringEnabled(Boolean.getBoolean("slow.contention"));
        Tomcat tomcat = new Tomcat();
        tomcat.setBaseDir(base.getPath());
        tomcat.getEngine().setName(System.getProperty("slow.domain", "Tomcat"));
        Connector connector = new Connector();
        connector.setPort(Integer.getInteger("slow.http.port", 0));
        connector.setProperty("address", "127.0.0.1");
        connector.setProperty("maxThreads", System.getProperty("slow.threads", "64"));
        if (Boolean.getBoolean("slow.http2")) {
            connector.addUpgradeProtocol(new Http2Protocol());
        }
        if (Boolean.getBoolean("slow.virtual")) {
            connector.setProperty("useVirtualThreads", "true");
        }
        tomcat.setConnector(connector);
        Context context = tomcat.addContext("", documents.getAbsolutePath());
        try (Truth truth = new Truth(new File(base, "truth.log"))) {
            Wrapper servlet = Tomcat.addServlet(context, "run", new RunServlet(new Steps(required("slow.jdbc.url"), base), truth));
            servlet.setAsyncSupported(true);
            context.addServletMappingDecoded("/run/*", "run");
            tomcat.start();
            System.out.println("READY http=" + tomcat.getConnector().getLocalPort());
            new CountDownLatch(1).await();
        }
    }

    private static String required(String property) {
        String value = System.getProperty(property);
        if (value == null || value.isEmpty()) {
            throw new IllegalArgumentException("missing -D" + property);
        }
        return value;
    }
}
