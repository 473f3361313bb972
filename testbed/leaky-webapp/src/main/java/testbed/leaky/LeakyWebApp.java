package testbed.leaky;

import java.io.File;
import java.util.concurrent.CountDownLatch;

import org.apache.catalina.Context;
import org.apache.catalina.LifecycleException;
import org.apache.catalina.connector.Connector;
import org.apache.catalina.startup.Tomcat;

/**
 * A small web application on embedded Tomcat. It does nothing wrong: it closes
 * all it opens. It leaks none the less, for its driver keeps every statement
 * that had a query timeout until the timeout has passed.
 *
 * <p>System properties:
 * <ul>
 * <li>{@code leaky.jdbc.url}: the database, required
 * <li>{@code leaky.jdbc.connections}: how many connections stay open, 8
 * <li>{@code leaky.http.port}: 0, the default, is any free port
 * <li>{@code leaky.base}: Tomcat's working folder, required
 * <li>{@code leaky.query.timeout.seconds}: 3000, as in the case
 * </ul>
 *
 * <p>Prints {@code READY http=PORT} on standard output once it answers.
 */
public final class LeakyWebApp {
    private LeakyWebApp() {
    }

    public static void main(String[] args) throws Exception {
        ConnectionPool pool = ConnectionPool.open(
                required("leaky.jdbc.url"), Integer.getInteger("leaky.jdbc.connections", 8));
        int queryTimeoutSeconds = Integer.getInteger("leaky.query.timeout.seconds", 3000);

        Tomcat tomcat = start(new OrderServlet(pool, queryTimeoutSeconds));
        System.out.println("READY http=" + tomcat.getConnector().getLocalPort());

        new CountDownLatch(1).await();
    }

    private static Tomcat start(OrderServlet servlet) throws LifecycleException {
        Tomcat tomcat = new Tomcat();
        tomcat.setBaseDir(required("leaky.base"));
        Connector connector = new Connector();
        connector.setPort(Integer.getInteger("leaky.http.port", 0));
        connector.setProperty("address", "127.0.0.1");
        connector.setProperty("maxThreads", "16");
        connector.setProperty("maxKeepAliveRequests", "-1");
        tomcat.setConnector(connector);

        File documents = new File(required("leaky.base"), "documents");
        if (!documents.isDirectory() && !documents.mkdirs()) {
            throw new IllegalStateException("cannot create " + documents);
        }
        Context context = tomcat.addContext("", documents.getAbsolutePath());
        Tomcat.addServlet(context, "order", servlet);
        context.addServletMappingDecoded("/order", "order");
        tomcat.start();
        return tomcat;
    }

    private static String required(String property) {
        String value = System.getProperty(property);
        if (value == null || value.isEmpty()) {
            throw new IllegalArgumentException("missing -D" + property);
        }
        return value;
    }
}
