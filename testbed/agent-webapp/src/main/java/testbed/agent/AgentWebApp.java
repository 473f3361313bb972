package testbed.agent;

import java.io.File;
import java.util.concurrent.CountDownLatch;

import org.apache.catalina.Context;
import org.apache.catalina.authenticator.BasicAuthenticator;
import org.apache.catalina.connector.Connector;
import org.apache.catalina.startup.Tomcat;
import org.apache.tomcat.util.descriptor.web.LoginConfig;
import org.apache.tomcat.util.descriptor.web.SecurityCollection;
import org.apache.tomcat.util.descriptor.web.SecurityConstraint;

/**
 * Tomcat with Jolokia as a web application, for the user "jolokia" alone. Its own
 * log-in is Tomcat's, by basic authentication.
 *
 * <p>System properties:
 * <ul>
 * <li>{@code agent.base}: a working folder, required
 * <li>{@code agent.password}: the user's, required
 * <li>{@code agent.war}: Jolokia's WAR, put at /jolokia; it asks for the role "jolokia" itself
 * <li>{@code agent.servlet}: without a WAR, the class of Jolokia's servlet, put at
 * /actuator/jolokia as Spring Boot does
 * </ul>
 *
 * <p>Prints {@code READY http=PORT} on standard output once it answers.
 */
public final class AgentWebApp {
    private static final String ROLE = "jolokia";

    private AgentWebApp() {
    }

    public static void main(String[] args) throws Exception {
        File base = new File(required("agent.base"));
        File applications = new File(base, "webapps");
        if (!applications.isDirectory() && !applications.mkdirs()) {
            throw new IllegalStateException("cannot create " + applications);
        }
        Tomcat tomcat = new Tomcat();
        tomcat.setBaseDir(base.getPath());
        tomcat.setAddDefaultWebXmlToWebapp(false); // it wants JSP
        Connector connector = new Connector();
        connector.setPort(0);
        connector.setProperty("address", "127.0.0.1");
        tomcat.setConnector(connector);
        tomcat.addUser("jolokia", required("agent.password"));
        tomcat.addRole("jolokia", ROLE);
        String war = System.getProperty("agent.war");
        if (war != null) {
            tomcat.addWebapp("/jolokia", war);
        } else {
            addServlet(tomcat, required("agent.servlet"));
        }
        tomcat.start();
        System.out.println("READY http=" + tomcat.getConnector().getLocalPort());
        new CountDownLatch(1).await();
    }

    private static void addServlet(Tomcat tomcat, String name) {
        Context context = tomcat.addContext("/actuator", null);
        Tomcat.addServlet(context, "jolokia", name);
        context.addServletMappingDecoded("/jolokia/*", "jolokia");
        SecurityCollection everything = new SecurityCollection();
        everything.addPattern("/*");
        SecurityConstraint constraint = new SecurityConstraint();
        constraint.addCollection(everything);
        constraint.addAuthRole(ROLE);
        context.addConstraint(constraint);
        context.addSecurityRole(ROLE);
        context.setLoginConfig(new LoginConfig("BASIC", "Jolokia", null, null));
        context.getPipeline().addValve(new BasicAuthenticator());
    }

    private static String required(String property) {
        String value = System.getProperty(property);
        if (value == null || value.isEmpty()) {
            throw new IllegalArgumentException("missing -D" + property);
        }
        return value;
    }
}
