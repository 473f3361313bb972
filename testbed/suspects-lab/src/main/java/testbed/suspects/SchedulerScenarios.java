package testbed.suspects;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

import io.netty.util.HashedWheelTimer;
import io.netty.util.Timeout;
import io.netty.util.TimerTask;

/** Schedulers other than those of java.util. */
final class SchedulerScenarios {
    private static final int COUNT = 3000;
    private static final List<CompletableFuture<?>> FUTURES = new ArrayList<>();
    private static HashedWheelTimer wheel;

    private SchedulerScenarios() {
    }

    static final class Expiry implements TimerTask {
        final byte[] request = new byte[1000];

        @Override
        public void run(Timeout timeout) {
            request[0] = 1;
        }
    }

    static void addTo(Map<String, Scenario> all) {
        all.put("wheel-blocked", expected -> {
            wheel = new HashedWheelTimer(work -> {
                Thread thread = new Thread(work, "lab-wheel");
                thread.setDaemon(true);
                return thread;
            });
            CountDownLatch running = new CountDownLatch(1);
            wheel.newTimeout(timeout -> {
                running.countDown();
                new CountDownLatch(1).await();
            }, 1, TimeUnit.MILLISECONDS);
            running.await();
            for (int i = 0; i < COUNT; i++) {
                wheel.newTimeout(new Expiry(), 50, TimeUnit.MINUTES).cancel();
            }
            expected.scheduler("HashedWheelTimer", "lab-wheel", COUNT, COUNT);
            expected.finding("scheduler-held", Expiry.class.getName(), COUNT, "critical");
        });
        all.put("healthy-wheel", expected -> {
            wheel = new HashedWheelTimer(work -> {
                Thread thread = new Thread(work, "lab-wheel");
                thread.setDaemon(true);
                return thread;
            });
            for (int i = 0; i < COUNT; i++) {
                wheel.newTimeout(new Expiry(), 50, TimeUnit.MINUTES);
            }
            expected.scheduler("HashedWheelTimer", "lab-wheel", COUNT, 0);
        });
        // From JDK 25 on these wait in a DelayScheduler, before in a ScheduledThreadPoolExecutor.
        all.put("healthy-timeouts", expected -> {
            for (int i = 0; i < COUNT; i++) {
                FUTURES.add(new CompletableFuture<>().orTimeout(50, TimeUnit.MINUTES));
            }
            if (Runtime.version().feature() >= 25) {
                expected.scheduler("DelayScheduler", "ForkJoinPool.commonPool-delayScheduler", COUNT, 0);
            } else {
                expected.scheduler("ScheduledThreadPoolExecutor", "CompletableFutureDelayScheduler", COUNT, 0);
            }
        });
    }
}
