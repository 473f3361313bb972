package testbed.suspects;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Timer;
import java.util.TimerTask;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

import javax.servlet.http.HttpServlet;
import javax.servlet.http.HttpServletRequest;
import javax.servlet.http.HttpServletResponse;

import org.apache.catalina.Context;
import org.apache.catalina.startup.Tomcat;

/** Programs in good order. */
final class HealthyScenarios {
    private static final int CACHE_SIZE = 50_000;
    private static final Timer TIMER = new Timer("healthy-timer", true);
    private static final Map<Integer, byte[]> CACHE = new LinkedHashMap<>(16, 0.75f, true) {
        @Override
        protected boolean removeEldestEntry(Map.Entry<Integer, byte[]> eldest) {
            return size() > CACHE_SIZE;
        }
    };

    private HealthyScenarios() {
    }

    static void addTo(Map<String, Scenario> all) {
        all.put("healthy-idle", expected -> { });
        all.put("healthy-cache", expected -> {
            for (int i = 0; i < 2 * CACHE_SIZE; i++) {
                CACHE.put(i, new byte[2000]);
            }
        });
        all.put("healthy-timer", expected -> {
            for (int i = 0; i < 400; i++) {
                byte[] request = new byte[2000];
                TimerTask task = new TimerTask() {
                    @Override
                    public void run() {
                        request[0] = 1;
                    }
                };
                TIMER.schedule(task, TimeUnit.MINUTES.toMillis(50));
                task.cancel();
            }
        });
        all.put("healthy-idle-tomcat", expected -> {
            tomcat();
        });
        all.put("healthy-busy-tomcat", expected -> {
            busy(tomcat().getConnector().getLocalPort());
        });
    }

    /** Answers with a session that has some content. */
    static final class Page extends HttpServlet {
        private static final long serialVersionUID = 1;

        @Override
        protected void doGet(HttpServletRequest request, HttpServletResponse response) throws java.io.IOException {
            request.getSession().setAttribute("cart", new byte[500]);
            response.getWriter().println("hello " + request.getSession().getId());
        }
    }

    private static Tomcat tomcat() throws Exception {
        Path base = Files.createTempDirectory("suspects");
        Tomcat tomcat = LoaderScenarios.start(base);
        Context context = tomcat.addContext("", base.toString());
        Tomcat.addServlet(context, "page", new Page());
        context.addServletMappingDecoded("/", "page");
        return tomcat;
    }

    /** Has requests under way that do not end before the dump. */
    private static void busy(int port) throws Exception {
        HttpClient client = HttpClient.newHttpClient();
        HttpRequest request = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + "/")).build();
        for (int i = 0; i < 500; i++) {
            client.send(request, HttpResponse.BodyHandlers.discarding());
        }
        ExecutorService clients = Executors.newFixedThreadPool(8, work -> {
            Thread thread = new Thread(work, "client");
            thread.setDaemon(true);
            return thread;
        });
        for (int i = 0; i < 8; i++) {
            clients.execute(() -> {
                try {
                    while (true) {
                        client.send(request, HttpResponse.BodyHandlers.discarding());
                    }
                } catch (Exception e) {
                    Thread.currentThread().interrupt();
                }
            });
        }
        TimeUnit.MILLISECONDS.sleep(300);
    }
}
