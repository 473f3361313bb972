package testbed.lab;

import java.lang.ref.ReferenceQueue;
import java.lang.ref.WeakReference;
import java.lang.reflect.Field;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.locks.ReentrantLock;

import testbed.lab.Items.Done;
import testbed.lab.Items.Enqueued;
import testbed.lab.Items.Pending;
import testbed.lab.Items.Stuck;

/** Finalizables that a collection found dead: on their way to finalize(), in it, or past it. */
final class QueueScenarios {
    private static final ReferenceQueue<Object> BAIT_QUEUE = new ReferenceQueue<>();
    private static WeakReference<Object> bait;

    private QueueScenarios() {
    }

    static void addTo(Map<String, Scenario> all) {
        all.put("pending", QueueScenarios::pending);
        all.put("enqueued", QueueScenarios::enqueued);
        all.put("done", QueueScenarios::done);
        all.put("mixed", QueueScenarios::mixed);
    }

    /** In the Finalizer thread's queue, behind one whose finalize() does not return. */
    private static void enqueued(int count, Census census) throws Exception {
        Vm.inThread(Stuck::new);
        System.gc();
        Items.STUCK.await();
        Vm.inThread(() -> {
            for (int i = 0; i < count; i++) {
                new Enqueued();
            }
        });
        System.gc();
        Vm.await("all enqueued", () -> Vm.enqueued(Enqueued.class) == count);
        census.finalizers(Stuck.class, "in_processing", 1);
        census.finalizers(Enqueued.class, "enqueued", count);
        census.queueLength(Vm.enqueued());
        census.finding("finalizer-stuck", Stuck.class, count, "");
    }

    /** finalize() has run; what is left is the shell of the Finalizer. */
    private static void done(int count, Census census) throws Exception {
        Vm.inThread(() -> {
            for (int i = 0; i < count; i++) {
                new Done();
            }
        });
        System.gc();
        Vm.await("all finalized", () -> Items.FINALIZED.get() == count);
        Thread finalizer = Vm.thread("Finalizer");
        Vm.await("Finalizer thread idle", () -> finalizer.getState() == Thread.State.WAITING);
        census.done(count);
    }

    /** Several states at once, a third of the count each. */
    private static void mixed(int count, Census census) throws Exception {
        enqueued(count / 3, census);
        HolderScenarios.held(count / 3, census);
        HolderScenarios.dead(count / 3, census);
    }

    /**
     * Found dead, waiting for the Reference Handler, which is made to wait for
     * the lock of a queue of ours.
     */
    private static void pending(int count, Census census) throws Exception {
        holdLockForever(BAIT_QUEUE);
        Vm.inThread(() -> bait = new WeakReference<>(new Object(), BAIT_QUEUE));
        System.gc();
        Thread handler = Vm.thread("Reference Handler");
        Vm.await("Reference Handler blocked", () -> isEnqueuing(handler));
        Vm.inThread(() -> {
            for (int i = 0; i < count; i++) {
                new Pending();
            }
        });
        System.gc();
        census.finalizers(Pending.class, "pending", count);
    }

    private static boolean isEnqueuing(Thread thread) {
        Thread.State state = thread.getState();
        if (state != Thread.State.BLOCKED && state != Thread.State.WAITING) {
            return false;
        }
        for (StackTraceElement frame : thread.getStackTrace()) {
            if (frame.getMethodName().equals("enqueue")) {
                return true;
            }
        }
        return false;
    }

    /** The lock is a monitor up to JDK 18 and from JDK 24 on, a ReentrantLock in between. */
    private static void holdLockForever(ReferenceQueue<?> queue) throws Exception {
        Field field = ReferenceQueue.class.getDeclaredField("lock");
        field.setAccessible(true);
        Object lock = field.get(queue);
        CountDownLatch held = new CountDownLatch(1);
        Thread holder = new Thread(() -> {
            if (lock instanceof ReentrantLock) {
                ((ReentrantLock) lock).lock();
                held.countDown();
                HolderScenarios.parkForever();
            }
            synchronized (lock) {
                held.countDown();
                HolderScenarios.parkForever();
            }
        }, "lock-holder");
        holder.setDaemon(true);
        holder.start();
        held.await();
    }
}
