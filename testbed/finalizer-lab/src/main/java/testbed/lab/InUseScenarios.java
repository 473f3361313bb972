package testbed.lab;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Timer;
import java.util.TimerTask;
import java.util.concurrent.TimeUnit;

import testbed.lab.Items.Dead;
import testbed.lab.Items.Done;
import testbed.lab.Items.Held;

/** Heaps that look like trouble, and one that waits for a collection of the old generation. */
final class InUseScenarios {
    private static final List<Object> ROOTS = new ArrayList<>();
    private static final Timer TIMER = new Timer("lab-busy-timer", true);

    private InUseScenarios() {
    }

    static void addTo(Map<String, Scenario> all) {
        all.put("in-use-live", InUseScenarios::live);
        all.put("in-use-died", InUseScenarios::died);
        all.put("in-use-draining", InUseScenarios::draining);
        all.put("in-use-timer", InUseScenarios::timer);
        all.put("old-dead", InUseScenarios::oldDead);
        all.put("disabled", InUseScenarios::disabled);
    }

    /** Very many finalizables, all in use. */
    private static void live(int count, Census census) {
        for (int i = 0; i < 5 * count; i++) {
            ROOTS.add(new Held());
        }
        census.finalizers(Held.class, "registered_held", 5 * count);
        census.healthy();
    }

    /** Very many that just died. */
    private static void died(int count, Census census) throws InterruptedException {
        Vm.inThread(() -> {
            for (int i = 0; i < 5 * count; i++) {
                new Dead();
            }
        });
        census.healthy();
    }

    /** The dump is taken while the Finalizer thread works off what a collection just found. */
    private static void draining(int count, Census census) throws InterruptedException {
        Vm.inThread(() -> {
            for (int i = 0; i < 50 * count; i++) {
                new Done();
            }
        });
        System.gc();
        census.healthy();
    }

    /** A few timeouts that were cancelled, many that were not. */
    private static void timer(int count, Census census) {
        for (int i = 0; i < count / 10; i++) {
            TimerTask task = new TimerTask() {
                @Override
                public void run() {
                }
            };
            TIMER.schedule(task, TimeUnit.MINUTES.toMillis(10 + i));
            if (i % 5 == 0) {
                task.cancel();
            }
        }
        census.healthy();
    }

    /** Died after collections had seen them alive: they lie where collections are rare. */
    private static void oldDead(int count, Census census) throws Exception {
        Vm.inThread(() -> {
            List<Dead> kept = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                kept.add(new Dead());
            }
            System.gc();
            System.gc();
            kept.clear();
        });
        census.finalizers(Dead.class, "registered_dead", count);
        census.finding("finalizers-waiting-for-old-gc", Dead.class, count, "");
    }

    /** Nothing is registered: the JVM was told not to finalize. */
    private static void disabled(int count, Census census) throws InterruptedException {
        Vm.inThread(() -> {
            for (int i = 0; i < count; i++) {
                new Dead();
            }
        });
        System.gc();
        census.healthy();
    }
}
