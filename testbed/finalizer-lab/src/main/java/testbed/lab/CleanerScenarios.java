package testbed.lab;

import java.lang.ref.Cleaner;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;

/** Cleaning actions that do not run, or never will. */
final class CleanerScenarios {
    private static final String OWNER = "lab-owner";
    private static final Cleaner CLEANER = Cleaner.create();
    private static final Object MONITOR = new Object();
    private static final List<Object> ROOTS = new ArrayList<>();
    private static final CountDownLatch STUCK = new CountDownLatch(1);

    private CleanerScenarios() {
    }

    static void addTo(Map<String, Scenario> all) {
        all.put("cleaner-blocked", CleanerScenarios::blocked);
        all.put("cleaner-handler", CleanerScenarios::handler);
        all.put("cleaner-self", CleanerScenarios::self);
        all.put("cleaner-live", CleanerScenarios::live);
    }

    /** What is cleaned up after: memory outside the heap, say. */
    static final class Buffer {
        final byte[] header = new byte[64];
    }

    /** Waits for a monitor that another thread keeps. */
    static final class BlockedRelease implements Runnable {
        final byte[] handle = new byte[32];

        @Override
        public void run() {
            STUCK.countDown();
            synchronized (MONITOR) {
                handle[0] = 1;
            }
        }
    }

    /** Refers to what it is to clean up after, which therefore never dies. */
    static final class CapturingRelease implements Runnable {
        final Buffer buffer;

        CapturingRelease(Buffer buffer) {
            this.buffer = buffer;
        }

        @Override
        public void run() {
            buffer.header[0] = 1;
        }
    }

    /** The first action blocks the Cleaner's thread, the others wait in its queue. */
    private static void blocked(int count, Census census) throws Exception {
        holdMonitor();
        Vm.inThread(() -> CLEANER.register(new Buffer(), new BlockedRelease()));
        System.gc();
        STUCK.await();
        Vm.inThread(() -> {
            for (int i = 0; i < count; i++) {
                CLEANER.register(new Buffer(), new BlockedRelease());
            }
        });
        System.gc();
        Vm.await("all enqueued", () -> Vm.queueLength(CLEANER) == count);
        census.finding("cleaner-backlog", BlockedRelease.class, count, OWNER);
    }

    /** The JDK's own cleaners run in the Reference Handler: all references wait for one that blocks. */
    private static void handler(int count, Census census) throws Exception {
        holdMonitor();
        Class<?> type = Class.forName("jdk.internal.ref.Cleaner");
        Method create = type.getDeclaredMethod("create", Object.class, Runnable.class);
        create.setAccessible(true);
        Vm.inThread(() -> Vm.invoke(create, new Buffer(), new BlockedRelease()));
        System.gc();
        STUCK.await();
        Vm.inThread(() -> {
            for (int i = 0; i < count; i++) {
                Vm.invoke(create, new Buffer(), new BlockedRelease());
            }
        });
        System.gc();
        census.finding("cleaner-backlog", BlockedRelease.class, count, OWNER);
    }

    private static void self(int count, Census census) {
        for (int i = 0; i < count; i++) {
            Buffer buffer = new Buffer();
            CLEANER.register(buffer, new CapturingRelease(buffer));
        }
        census.finding("cleaner-self-reference", CapturingRelease.class, count, "");
    }

    /** In use, cleaned up after one day. */
    private static void live(int count, Census census) {
        for (int i = 0; i < count; i++) {
            Buffer buffer = new Buffer();
            ROOTS.add(buffer);
            CLEANER.register(buffer, new BlockedRelease());
        }
        census.healthy();
    }

    private static void holdMonitor() throws InterruptedException {
        CountDownLatch held = new CountDownLatch(1);
        HolderScenarios.startDaemon(OWNER, () -> {
            synchronized (MONITOR) {
                held.countDown();
                HolderScenarios.parkForever();
            }
        });
        held.await();
    }
}
