package testbed.lab;

import java.util.Map;
import java.util.Timer;
import java.util.TimerTask;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;

/** Schedulers whose only thread a task keeps. */
final class BlockedScenarios {
    private static final String OWNER = "lab-owner";
    private static final ReentrantLock LOCK = new ReentrantLock();
    private static final CountDownLatch RUNNING = new CountDownLatch(1);
    private static final Timer TIMER = new Timer("lab-blocked-timer", true);
    private static ScheduledExecutorService executor;

    private BlockedScenarios() {
    }

    static void addTo(Map<String, Scenario> all) {
        all.put("timer-blocked", BlockedScenarios::timer);
        all.put("executor-blocked", BlockedScenarios::executor);
    }

    /** Hangs. */
    static final class HangingTask extends TimerTask {
        @Override
        public void run() {
            RUNNING.countDown();
            LOCK.lock();
            LOCK.unlock();
        }
    }

    /** Would be done in no time. */
    static final class QuickTask extends TimerTask {
        @Override
        public void run() {
        }
    }

    private static void timer(int count, Census census) throws Exception {
        holdLock();
        TIMER.schedule(new HangingTask(), 0);
        RUNNING.await();
        for (int i = 0; i < count; i++) {
            TIMER.schedule(new QuickTask(), 1);
        }
        Vm.await("waiting", () -> Vm.thread("lab-blocked-timer").getState() == Thread.State.WAITING);
        TimeUnit.SECONDS.sleep(2);
        census.scheduler("java.util.Timer", "lab-blocked-timer", count, 0);
        census.finding("timer-blocked", HangingTask.class, count, OWNER);
    }

    private static void executor(int count, Census census) throws Exception {
        holdLock();
        executor = Executors.newSingleThreadScheduledExecutor(work -> {
            Thread thread = new Thread(work, "lab-blocked-scheduler");
            thread.setDaemon(true);
            return thread;
        });
        executor.schedule(new HangingTask(), 0, TimeUnit.SECONDS);
        RUNNING.await();
        for (int i = 0; i < count; i++) {
            executor.schedule(new QuickTask(), 1, TimeUnit.MILLISECONDS);
        }
        Vm.await("waiting", () -> Vm.thread("lab-blocked-scheduler").getState() == Thread.State.WAITING);
        census.finding("timer-blocked", HangingTask.class, count, OWNER);
    }

    private static void holdLock() throws InterruptedException {
        CountDownLatch held = new CountDownLatch(1);
        HolderScenarios.startDaemon(OWNER, () -> {
            LOCK.lock();
            held.countDown();
            HolderScenarios.parkForever();
        });
        held.await();
    }
}
