package testbed.lab;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Timer;
import java.util.TimerTask;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

import testbed.lab.Items.Dead;
import testbed.lab.Items.Held;

/**
 * A program in good order: a cache, a pool of finalizable connections, timers
 * with a few tasks, and finalizable objects that come and go.
 */
final class HealthyScenario implements Scenario {
    private static final int POOL_SIZE = 50;
    private static final Map<String, List<Integer>> CACHE = new HashMap<>();
    private static final List<Held> POOL = new ArrayList<>();
    private static final Timer TIMER = new Timer("healthy-timer", true);
    private static final ScheduledExecutorService SCHEDULER = Executors.newScheduledThreadPool(2, work -> {
        Thread thread = new Thread(work, "healthy-scheduler");
        thread.setDaemon(true);
        return thread;
    });

    @Override
    public void build(int count, Census census) throws Exception {
        for (int i = 0; i < count; i++) {
            CACHE.put("customer-" + i, List.of(i, i + 1, i + 2));
        }
        for (int i = 0; i < POOL_SIZE; i++) {
            POOL.add(new Held());
        }
        for (int i = 1; i <= 5; i++) {
            TIMER.schedule(new TimerTask() {
                @Override
                public void run() {
                    CACHE.size();
                }
            }, TimeUnit.MINUTES.toMillis(i), TimeUnit.MINUTES.toMillis(i));
            SCHEDULER.scheduleAtFixedRate(CACHE::size, i, i, TimeUnit.MINUTES);
        }
        // Objects that come, die and are finalized, over several collections.
        for (int round = 0; round < 3; round++) {
            Vm.inThread(() -> {
                for (int i = 0; i < count / 10; i++) {
                    new Dead();
                }
            });
            System.gc();
        }
        Vm.await("all finalized", () -> Items.FINALIZED.get() == count / 10 * 3);
        // And some that no collection has seen yet.
        Vm.inThread(() -> {
            for (int i = 0; i < count / 10; i++) {
                new Dead();
            }
        });
        census.finalizers(Held.class, "registered_held", POOL_SIZE);
        census.healthy();
    }
}
