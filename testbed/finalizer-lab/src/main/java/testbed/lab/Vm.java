package testbed.lab;

import java.lang.management.GarbageCollectorMXBean;
import java.lang.management.ManagementFactory;
import java.lang.ref.Cleaner;
import java.lang.ref.ReferenceQueue;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

import javax.management.ObjectName;

/** What scenarios ask of the JVM they run in. */
final class Vm {
    private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(30);

    private Vm() {
    }

    /** Runs {@code work} in a thread that is gone afterwards, so that no frame refers to what it made. */
    static void inThread(Runnable work) throws InterruptedException {
        Thread thread = new Thread(work, "maker");
        thread.start();
        thread.join();
    }

    /** Runs {@code work} as {@link #inThread} does, and fails if a collection happened. */
    static void inThreadUncollected(Runnable work) throws InterruptedException {
        long before = collections();
        inThread(work);
        if (collections() != before) {
            throw new IllegalStateException("a collection happened: give the JVM a larger young generation");
        }
    }

    /** Waits until {@code condition} holds; fails after half a minute. */
    static void await(String what, Callable<Boolean> condition) throws Exception {
        long deadline = System.nanoTime() + PATIENCE_NANOS;
        while (!condition.call()) {
            if (System.nanoTime() > deadline) {
                throw new IllegalStateException("waited in vain: " + what);
            }
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(5));
        }
    }

    /** How many objects of this class the Finalizer thread has in its queue, as the JVM tells it. */
    static int enqueued(Class<?> type) throws Exception {
        String table = (String) ManagementFactory.getPlatformMBeanServer().invoke(
                new ObjectName("com.sun.management:type=DiagnosticCommand"), "gcFinalizerInfo", null, null);
        Matcher row = Pattern.compile("(?m)^\\s*(\\d+)\\s+" + Pattern.quote(type.getName()) + "$").matcher(table);
        return row.find() ? Integer.parseInt(row.group(1)) : 0;
    }

    /** How many objects the Finalizer thread has in its queue. */
    static int enqueued() {
        return ManagementFactory.getMemoryMXBean().getObjectPendingFinalizationCount();
    }

    /** How many references wait in the queue of a Cleaner, as its own field tells. */
    static long queueLength(Cleaner cleaner) throws ReflectiveOperationException {
        Object implementation = field(Cleaner.class, "impl").get(cleaner);
        Object queue = field(implementation.getClass(), "queue").get(implementation);
        return field(ReferenceQueue.class, "queueLength").getLong(queue);
    }

    private static Field field(Class<?> type, String name) throws NoSuchFieldException {
        Field field = type.getDeclaredField(name);
        field.setAccessible(true);
        return field;
    }

    /** Calls a static method that throws nothing. */
    static void invoke(Method method, Object... arguments) {
        try {
            method.invoke(null, arguments);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }

    /** The thread of this name, one of the JVM's own included. */
    static Thread thread(String name) {
        for (Thread thread : Thread.getAllStackTraces().keySet()) {
            if (thread.getName().equals(name)) {
                return thread;
            }
        }
        throw new IllegalStateException("no thread " + name);
    }

    /** How many collections there were so far, of all collectors. */
    private static long collections() {
        long count = 0;
        for (GarbageCollectorMXBean collector : ManagementFactory.getGarbageCollectorMXBeans()) {
            count += collector.getCollectionCount();
        }
        return count;
    }
}
