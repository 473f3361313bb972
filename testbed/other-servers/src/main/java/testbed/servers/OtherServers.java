package testbed.servers;

import java.io.File;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.Executors;

import io.undertow.Undertow;
import io.undertow.servlet.Servlets;
import io.undertow.servlet.api.DeploymentInfo;
import io.undertow.servlet.api.DeploymentManager;
import java.net.InetSocketAddress;
import org.apache.catalina.Context;
import org.apache.catalina.connector.Connector;
import org.apache.catalina.startup.Tomcat;
import org.apache.coyote.http2.Http2Protocol;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.util.thread.QueuedThreadPool;

/**
 * {@link Orders} on the server that the first argument names: jetty, undertow, spring or tomcat. The
 * system property {@code servers.virtual} has it handle requests on virtual threads, {@code servers.base}
 * is a working folder. Tomcat speaks HTTP/2 as well.
 *
 * <p>Prints {@code READY http=PORT} on standard output once it answers, on a free port of 127.0.0.1.
 */
public final class OtherServers {
    private static final boolean VIRTUAL = Boolean.getBoolean("servers.virtual");

    private OtherServers() {
    }

    public static void main(String[] args) throws Exception {
        System.out.println("READY http=" + start(args[0]));
        new CountDownLatch(1).await();
    }

    private static int start(String server) throws Exception {
        switch (server) {
            case "jetty":
                return jetty();
            case "undertow":
                return undertow();
            case "spring":
                return SpringOrders.start(VIRTUAL);
            case "tomcat":
                return tomcat();
            default:
                throw new IllegalArgumentException("no such server: " + server);
        }
    }

    private static int jetty() throws Exception {
        QueuedThreadPool pool = new QueuedThreadPool(20);
        if (VIRTUAL) {
            pool.setVirtualThreadsExecutor(virtualThreads());
        }
        Server server = new Server(pool);
        ServerConnector connector = new ServerConnector(server);
        connector.setHost("127.0.0.1");
        server.addConnector(connector);
        ServletContextHandler context = new ServletContextHandler("/");
        context.addServlet(Orders.class, "/orders/*");
        server.setHandler(context);
        server.start();
        return connector.getLocalPort();
    }

    private static int undertow() throws Exception {
        DeploymentInfo deployment = Servlets.deployment().setClassLoader(OtherServers.class.getClassLoader()).setContextPath("/")
            .setDeploymentName("orders").addServlet(Servlets.servlet("orders", Orders.class).addMapping("/orders/*"));
        if (VIRTUAL) {
            deployment.setExecutor(virtualThreads());
        }
        DeploymentManager manager = Servlets.defaultContainer().addDeployment(deployment);
        manager.deploy();
        Undertow server = Undertow.builder().addHttpListener(0, "127.0.0.1").setHandler(manager.start()).build();
        server.start();
        return ((InetSocketAddress) server.getListenerInfo().get(0).getAddress()).getPort();
    }

    private static int tomcat() throws Exception {
        File base = new File(System.getProperty("servers.base"));
        Tomcat tomcat = new Tomcat();
        tomcat.setBaseDir(base.getPath());
        Connector connector = new Connector();
        connector.setPort(0);
        connector.setProperty("address", "127.0.0.1");
        connector.setProperty("useVirtualThreads", String.valueOf(VIRTUAL));
        connector.addUpgradeProtocol(new Http2Protocol());
        tomcat.setConnector(connector);
        Context context = tomcat.addContext("", base.getAbsolutePath());
        Tomcat.addServlet(context, "orders", new Orders());
        context.addServletMappingDecoded("/orders/*", "orders");
        tomcat.start();
        return connector.getLocalPort();
    }

    /** From JDK 21 on. */
    private static Executor virtualThreads() throws ReflectiveOperationException {
        return (Executor) Executors.class.getMethod("newVirtualThreadPerTaskExecutor").invoke(null);
    }
}
