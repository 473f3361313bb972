package testbed.slow;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

import javax.servlet.AsyncContext;
import javax.servlet.ServletException;
import javax.servlet.http.HttpServlet;
import javax.servlet.http.HttpServletRequest;
import javax.servlet.http.HttpServletResponse;

/** Runs the steps of a request, and writes down what each of them took. */
final class RunServlet extends HttpServlet {
    private final transient Steps steps;
    private final transient Truth truth;
    private final transient ScheduledExecutorService later = Executors.newSingleThreadScheduledExecutor(task -> {
        Thread thread = new Thread(task, "later");
        thread.setDaemon(true);
        return thread;
    });

    RunServlet(Steps steps, Truth truth) {
        this.steps = steps;
        this.truth = truth;
    }

    @Override
    protected void doGet(HttpServletRequest request, HttpServletResponse response) throws ServletException, IOException {
        long startMs = System.currentTimeMillis();
        long start = System.nanoTime();
        Map<String, Double> byClass = new TreeMap<>();
        List<Wait> waits = new ArrayList<>();
        String name = "q" + request.getRequestURI().replaceAll("[^A-Za-z0-9]", "_");
        String plan = request.getParameter("steps");
        for (String step : plan == null ? new String[0] : plan.split(",")) {
            String[] parts = step.split(":");
            long ms = Long.parseLong(parts[1]);
            if (parts[0].equals("async")) {
                long left = System.nanoTime();
                runLater(request, ms, () -> {
                    byClass.put("async", (System.nanoTime() - left) / 1e6);
                    write(request, startMs, start, byClass, waits);
                });
                return;
            }
            try {
                measure(parts[0], ms, byClass, name + "_" + waits.size(), waits);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new ServletException(e);
            } catch (Exception e) {
                throw new ServletException(step, e);
            }
        }
        response.setContentType("text/plain");
        response.getWriter().println("done");
        write(request, startMs, start, byClass, waits);
    }

    private void runLater(HttpServletRequest request, long ms, Runnable done) {
        AsyncContext async = request.startAsync();
        async.setTimeout(0);
        later.schedule(() -> {
            done.run();
            async.complete();
        }, ms, TimeUnit.MILLISECONDS);
    }

    private void write(HttpServletRequest request, long startMs, long start, Map<String, Double> byClass, List<Wait> waits) {
        try {
            truth.write(request.getRequestURI(), startMs, (System.nanoTime() - start) / 1e6, byClass, waits);
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    /** One step: what is neither time on a processor nor in its queue is the step's own class. */
    private void measure(String kind, long ms, Map<String, Double> byClass, String name, List<Wait> waits) throws Exception {
        Meter meter = new Meter();
        Map<String, Double> parts = steps.run(kind, ms, name, waits);
        double restMs = meter.waitedMs();
        byClass.merge("cpu", meter.cpuMs(), Double::sum);
        byClass.merge("stalled", meter.runQueueMs(), Double::sum);
        for (Map.Entry<String, Double> part : parts.entrySet()) {
            byClass.merge(part.getKey(), part.getValue(), Double::sum);
            restMs -= part.getValue();
        }
        byClass.merge(Steps.classOf(kind), restMs, Double::sum);
    }
}
