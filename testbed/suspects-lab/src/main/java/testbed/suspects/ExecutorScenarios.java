package testbed.suspects;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.ServerSocket;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Delayed;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RunnableScheduledFuture;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/** Thread pools of java.util.concurrent. */
final class ExecutorScenarios {
    private static final int COUNT = 5000;
    private static ScheduledThreadPoolExecutor pool;

    private ExecutorScenarios() {
    }

    static final class Request implements Runnable {
        final byte[] body = new byte[1000];

        @Override
        public void run() {
            body[0] = 1;
        }
    }

    /** A task with its request beside it, for a log. */
    static final class Named<V> implements RunnableScheduledFuture<V> {
        private final RunnableScheduledFuture<V> task;
        private final Runnable request;

        Named(RunnableScheduledFuture<V> task, Runnable request) {
            this.task = task;
            this.request = request;
        }

        @Override
        public boolean isPeriodic() {
            return task.isPeriodic();
        }

        @Override
        public long getDelay(TimeUnit unit) {
            return task.getDelay(unit);
        }

        @Override
        public int compareTo(Delayed other) {
            return task.compareTo(((Named<?>) other).task);
        }

        @Override
        public void run() {
            task.run();
        }

        @Override
        public boolean cancel(boolean interrupt) {
            return task.cancel(interrupt);
        }

        @Override
        public boolean isCancelled() {
            return task.isCancelled();
        }

        @Override
        public boolean isDone() {
            return task.isDone();
        }

        @Override
        public V get() throws InterruptedException, ExecutionException {
            return task.get();
        }

        @Override
        public V get(long time, TimeUnit unit) throws InterruptedException, ExecutionException {
            return get();
        }

        @Override
        public String toString() {
            return request + ": " + task;
        }
    }

    static void addTo(Map<String, Scenario> all) {
        all.put("executor-decorated", expected -> {
            pool = new ScheduledThreadPoolExecutor(1, ExecutorScenarios::thread) {
                @Override
                protected <V> RunnableScheduledFuture<V> decorateTask(Runnable request, RunnableScheduledFuture<V> task) {
                    return new Named<>(task, request);
                }
            };
            for (int i = 0; i < COUNT; i++) {
                pool.schedule(new Request(), 50, TimeUnit.MINUTES).cancel(false);
            }
            expected.scheduler("ScheduledThreadPoolExecutor", "lab-executor", COUNT, COUNT);
            expected.finding("scheduler-held", Request.class.getName(), COUNT, "critical");
        });
        // Its only thread waits for somebody to call, and does so in native code.
        all.put("executor-reads", expected -> {
            pool = new ScheduledThreadPoolExecutor(1, ExecutorScenarios::thread);
            ServerSocket server = new ServerSocket(0);
            pool.execute(() -> answer(server));
            for (int i = 0; i < COUNT; i++) {
                pool.schedule(new Request(), 1, TimeUnit.MILLISECONDS);
            }
            TimeUnit.SECONDS.sleep(2);
            expected.finding("timer-blocked", ExecutorScenarios.class.getName(), COUNT, "critical");
        });
        all.put("growing-work-queue", expected -> {
            ExecutorService workers = Executors.newFixedThreadPool(1, ExecutorScenarios::thread);
            workers.execute(() -> {
                try {
                    new CountDownLatch(1).await();
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            });
            for (int i = 0; i < COUNT; i++) {
                workers.execute(new Request());
            }
            expected.finding("growing-collection", ThreadPoolExecutor.class.getName(), COUNT, "warning");
        });
    }

    private static void answer(ServerSocket server) {
        try {
            server.accept();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Thread thread(Runnable work) {
        Thread thread = new Thread(work, "lab-executor");
        thread.setDaemon(true);
        return thread;
    }
}
