package testbed.suspects;

import java.io.File;
import java.io.InputStream;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;

import org.apache.catalina.Context;
import org.apache.catalina.startup.Tomcat;

/** Applications that are deployed again and again. */
final class LoaderScenarios {
    static final List<Object> LISTENERS = new ArrayList<>();
    private static final ThreadLocal<List<Object>> LEFT = ThreadLocal.withInitial(ArrayList::new);

    private static final String APPLICATION = "testbed.suspects.app.Application";
    private static final int TIMES = 5;

    private LoaderScenarios() {
    }

    static void addTo(Map<String, Scenario> all) {
        all.put("redeploy-closed", expected -> {
            for (int i = 0; i < TIMES; i++) {
                try (URLClassLoader loader = loader()) {
                    LISTENERS.add(loader.loadClass(APPLICATION).getConstructor().newInstance());
                }
            }
            expected.finding("class-loader-leak", APPLICATION, TIMES, "critical");
        });
        all.put("redeploy-tomcat", expected -> {
            Path base = Files.createTempDirectory("suspects");
            Tomcat tomcat = start(base);
            for (int i = 0; i <= TIMES; i++) {
                Context context = tomcat.addWebapp("/shop", webapp(base).toString());
                if (i < TIMES) {
                    context.stop();
                    context.destroy();
                    tomcat.getHost().removeChild(context);
                }
            }
            expected.finding("class-loader-leak", "testbed.suspects.app.Worker", TIMES, "critical");
        });
        // Nobody says that these are done with, but their host has none of them any more.
        all.put("redeploy-left-behind", expected -> {
            for (int i = 0; i < TIMES; i++) {
                LEFT.get().add(loader().loadClass(APPLICATION).getConstructor().newInstance());
            }
            expected.finding("class-loader-leak", APPLICATION, TIMES, "warning");
        });
        // The host has them all, and each has a thread of its own.
        all.put("healthy-plugins", expected -> {
            for (int i = 0; i < TIMES; i++) {
                URLClassLoader loader = loader();
                LISTENERS.add(loader.loadClass(APPLICATION).getConstructor().newInstance());
                Thread thread = new Thread(() -> LockSupport.park(loader), "plugin");
                thread.setDaemon(true);
                thread.setContextClassLoader(loader);
                thread.start();
            }
        });
        all.put("healthy-redeploy", expected -> {
            for (int i = 0; i < TIMES; i++) {
                try (URLClassLoader loader = loader()) {
                    loader.loadClass(APPLICATION).getConstructor().newInstance();
                }
            }
            LISTENERS.add(loader().loadClass(APPLICATION).getConstructor().newInstance());
        });
    }

    /** A loader that has the lab's classes for itself. */
    private static URLClassLoader loader() {
        URL jar = LoaderScenarios.class.getProtectionDomain().getCodeSource().getLocation();
        return new URLClassLoader(new URL[] {jar}, ClassLoader.getPlatformClassLoader());
    }

    static Tomcat start(Path base) throws Exception {
        Tomcat tomcat = new Tomcat();
        tomcat.setBaseDir(base.toString());
        tomcat.setPort(0);
        tomcat.setAddDefaultWebXmlToWebapp(false);
        tomcat.getConnector().setProperty("address", "127.0.0.1");
        tomcat.start();
        return tomcat;
    }

    /** A folder with the application's classes, as a WAR has them. */
    private static File webapp(Path base) throws Exception {
        Path root = base.resolve("shop");
        for (String name : List.of("Application", "Worker", "StartListener")) {
            String file = "testbed/suspects/app/" + name + ".class";
            Path to = root.resolve("WEB-INF/classes").resolve(file);
            if (Files.exists(to)) {
                continue;
            }
            Files.createDirectories(to.getParent());
            try (InputStream in = LoaderScenarios.class.getClassLoader().getResourceAsStream(file)) {
                Files.copy(in, to);
            }
        }
        Files.writeString(root.resolve("WEB-INF/web.xml"), "<web-app xmlns=\"http://xmlns.jcp.org/xml/ns/javaee\" version=\"4.0\">"
                + "<listener><listener-class>testbed.suspects.app.StartListener</listener-class></listener></web-app>");
        return root.toFile();
    }
}
