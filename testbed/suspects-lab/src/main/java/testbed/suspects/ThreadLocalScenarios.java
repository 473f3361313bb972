package testbed.suspects;

import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ThreadPoolExecutor;

/** What the threads of a pool keep of the work they have done. */
final class ThreadLocalScenarios {
    private static final int THREADS = 20;
    private static final ExecutorService POOL = Executors.newFixedThreadPool(THREADS);
    private static final ThreadLocal<RequestState> STATE = new ThreadLocal<>();

    private ThreadLocalScenarios() {
    }

    static final class RequestState {
        final byte[] body;

        RequestState(int bytes) {
            body = new byte[bytes];
        }
    }

    static void addTo(Map<String, Scenario> all) {
        all.put("thread-local-stale", expected -> {
            // A ThreadLocal for each object instead of a static one: nobody removes.
            onAllThreads(() -> {
                for (int i = 0; i < 10; i++) {
                    new ThreadLocal<RequestState>().set(new RequestState(100_000));
                }
            });
            expected.finding("thread-local-leak", RequestState.class.getName(), THREADS, "critical");
        });
        all.put("thread-local-idle", expected -> {
            onAllThreads(() -> STATE.set(new RequestState(2_000_000)));
            expected.finding("thread-local-leak", RequestState.class.getName(), THREADS, "warning");
        });
        all.put("healthy-thread-local", expected -> {
            onAllThreads(() -> STATE.set(new RequestState(2_000)));
        });
    }

    /** Runs {@code work} once on each thread of the pool, and returns when all wait for work again. */
    private static void onAllThreads(Runnable work) throws Exception {
        CountDownLatch started = new CountDownLatch(THREADS);
        CountDownLatch done = new CountDownLatch(THREADS);
        for (int i = 0; i < THREADS; i++) {
            POOL.execute(() -> {
                started.countDown();
                try {
                    started.await();
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
                work.run();
                done.countDown();
            });
        }
        done.await();
        while (((ThreadPoolExecutor) POOL).getActiveCount() > 0) {
            Thread.onSpinWait();
        }
    }
}
