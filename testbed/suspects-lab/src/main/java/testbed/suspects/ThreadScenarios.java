package testbed.suspects;

import java.net.http.HttpClient;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Timer;
import java.util.TimerTask;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/** Threads that nobody ends. */
final class ThreadScenarios {
    private static final int COUNT = 300;
    private static final CountDownLatch NEVER = new CountDownLatch(1);
    private static final List<Handler> HANDLERS = new ArrayList<>();
    private static final List<Object> SHARED = new ArrayList<>();

    private ThreadScenarios() {
    }

    /** Has a pool of its own. */
    static final class Handler {
        final ExecutorService pool = Executors.newSingleThreadExecutor();

        void handle() throws Exception {
            pool.submit(() -> HANDLERS.size()).get();
        }
    }

    static final class Expiry extends TimerTask {
        @Override
        public void run() {
            HANDLERS.size();
        }
    }

    static void addTo(Map<String, Scenario> all) {
        all.put("threads-of-lost-pools", expected -> {
            for (int i = 0; i < COUNT; i++) {
                Executors.newFixedThreadPool(1).submit(() -> HANDLERS.size()).get();
            }
            expected.finding("thread-leak", ThreadPoolExecutor.class.getName(), COUNT, "warning");
        });
        all.put("threads-of-held-pools", expected -> {
            for (int i = 0; i < 2 * COUNT; i++) {
                Handler handler = new Handler();
                handler.handle();
                HANDLERS.add(handler);
            }
            expected.finding("thread-leak", Handler.class.getName(), 2 * COUNT, "warning");
        });
        all.put("threads-of-timers", expected -> {
            for (int i = 0; i < COUNT; i++) {
                Timer timer = new Timer(true);
                timer.schedule(new Expiry(), TimeUnit.MINUTES.toMillis(50));
                SHARED.add(timer);
            }
            expected.finding("thread-leak", ThreadScenarios.class.getName(), COUNT, "warning");
        });
        all.put("threads-of-clients", expected -> {
            for (int i = 0; i < COUNT; i++) {
                SHARED.add(HttpClient.newHttpClient());
            }
            expected.finding("thread-leak", ThreadScenarios.class.getName(), COUNT, "warning");
        });
        all.put("threads-waiting", expected -> {
            for (int i = 0; i < 4 * COUNT; i++) {
                Thread thread = new Thread(ThreadScenarios::waitForever, "consumer-" + i);
                thread.setDaemon(true);
                thread.start();
            }
            TimeUnit.SECONDS.sleep(1);
            expected.finding("thread-leak", ThreadScenarios.class.getName(), 4 * COUNT, "warning");
        });
        // A server with a few pools, one of them large, some that their makers have let go of, and
        // many that end with what newSingleThreadExecutor returned.
        all.put("healthy-pools", expected -> {
            for (int i = 0; i < COUNT / 4; i++) {
                Executors.newSingleThreadExecutor().submit(() -> HANDLERS.size()).get();
            }
            for (int i = 0; i < 8; i++) {
                Executors.newFixedThreadPool(1).submit(() -> HANDLERS.size()).get();
                SHARED.add(HttpClient.newHttpClient());
            }
            for (int i = 0; i < 12; i++) {
                Handler handler = new Handler();
                handler.handle();
                HANDLERS.add(handler);
            }
            ExecutorService workers = Executors.newFixedThreadPool(COUNT);
            SHARED.add(workers);
            for (int i = 0; i < 2 * COUNT; i++) {
                workers.execute(() -> HANDLERS.size());
            }
        });
    }

    private static void waitForever() {
        try {
            NEVER.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
