package testbed.lab;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;

import testbed.lab.Items.Enqueued;

/** A Finalizer thread that does not get on, for one reason or another, and what waits behind it. */
final class StuckScenarios {
    private static final String OWNER = "lab-owner";
    private static final Object MONITOR = new Object();
    private static final ReentrantLock LOCK = new ReentrantLock();
    private static final CountDownLatch SECOND_STUCK = new CountDownLatch(1);
    private static final ExecutorService POOL = Executors.newFixedThreadPool(1, work -> {
        Thread thread = new Thread(work, OWNER);
        thread.setDaemon(true);
        return thread;
    });
    private static ServerSocket server;
    private static Socket peer;
    private static volatile boolean burning = true;

    private StuckScenarios() {
    }

    static void addTo(Map<String, Scenario> all) {
        all.put("stuck-monitor", StuckScenarios::monitor);
        all.put("stuck-lock", StuckScenarios::lock);
        all.put("stuck-ended", StuckScenarios::ended);
        all.put("stuck-second", StuckScenarios::second);
        all.put("stuck-class", StuckScenarios::initialiser);
        all.put("stuck-future", StuckScenarios::future);
        all.put("stuck-socket", StuckScenarios::socket);
        all.put("slow-wait", StuckScenarios::slowWait);
        all.put("slow-work", StuckScenarios::slowWork);
        all.put("stuck-and-timer", (count, census) -> {
            monitor(count, census);
            TimerScenarios.cancelled(count, census);
        });
    }

    /** The class to blame: it declares finalize(), its subclasses do not. */
    abstract static class MonitorConnection {
        final byte[] buffer = new byte[64];

        @Override
        protected void finalize() {
            Items.STUCK.countDown();
            close();
        }

        private void close() {
            synchronized (MONITOR) {
                buffer[0] = 1;
            }
        }
    }

    static final class PooledConnection extends MonitorConnection {
    }

    /** Its finalize() needs a lock of java.util.concurrent. */
    static class LockConnection {
        @Override
        protected void finalize() {
            Items.STUCK.countDown();
            LOCK.lock();
            LOCK.unlock();
        }
    }

    static final class SecondConnection {
        @Override
        protected void finalize() {
            SECOND_STUCK.countDown();
            LOCK.lock();
            LOCK.unlock();
        }
    }

    /** A class whose static initialiser does not end. */
    static final class Library {
        static {
            HolderScenarios.parkForever();
        }

        private Library() {
        }

        static void free() {
        }
    }

    /** Its finalize() needs a class. */
    static class LibraryImage {
        @Override
        protected void finalize() {
            Items.STUCK.countDown();
            Library.free();
        }
    }

    /** Its finalize() waits for a task of a pool that has no thread for it. */
    static class FutureOrder {
        @Override
        protected void finalize() {
            Items.STUCK.countDown();
            CompletableFuture.runAsync(() -> { }, POOL).join();
        }
    }

    /** Its finalize() waits for the answer of a peer that gives none. */
    static class SocketCursor {
        @Override
        protected void finalize() throws IOException {
            Items.STUCK.countDown();
            peer.getInputStream().read();
        }
    }

    /** Its finalize() waits, a minute each. */
    static class SlowSocket {
        final byte[] buffer = new byte[512];

        @Override
        protected void finalize() throws InterruptedException {
            Items.STUCK.countDown();
            TimeUnit.MINUTES.sleep(1);
        }
    }

    /** Its finalize() computes, for long. */
    static class SlowIndex {
        final byte[] buffer = new byte[2048];

        @Override
        protected void finalize() {
            Items.STUCK.countDown();
            double sum = 0;
            while (burning) {
                sum += Math.sqrt(sum + 1);
            }
            buffer[0] = (byte) sum;
        }
    }

    /** Each finalize() waits for the monitor, which a thread holds while it waits for something else. */
    private static void monitor(int count, Census census) throws Exception {
        CountDownLatch held = new CountDownLatch(1);
        HolderScenarios.startDaemon(OWNER, () -> {
            synchronized (MONITOR) {
                held.countDown();
                HolderScenarios.parkForever();
            }
        });
        held.await();
        behind(PooledConnection::new, count, census);
        Vm.await("blocked", () -> Vm.thread("Finalizer").getState() == Thread.State.BLOCKED);
        census.finalizers(PooledConnection.class, "in_processing", 1);
        census.finding("finalizer-stuck", MonitorConnection.class, count, OWNER);
    }

    private static void lock(int count, Census census) throws Exception {
        CountDownLatch held = new CountDownLatch(1);
        HolderScenarios.startDaemon(OWNER, () -> {
            LOCK.lock();
            held.countDown();
            HolderScenarios.parkForever();
        });
        held.await();
        behind(LockConnection::new, count, census);
        Vm.await("waiting", () -> Vm.thread("Finalizer").getState() == Thread.State.WAITING);
        census.finalizers(LockConnection.class, "in_processing", 1);
        census.finding("finalizer-stuck", LockConnection.class, count, OWNER);
    }

    /** The lock's owner has ended without letting go of it. */
    private static void ended(int count, Census census) throws Exception {
        Thread owner = new Thread(LOCK::lock, OWNER);
        owner.start();
        owner.join();
        behind(LockConnection::new, count, census);
        Vm.await("waiting", () -> Vm.thread("Finalizer").getState() == Thread.State.WAITING);
        census.finalizers(LockConnection.class, "in_processing", 1);
        census.finding("finalizer-stuck", LockConnection.class, count, OWNER);
    }

    /** Somebody called System.runFinalization(): a second thread is stuck as the first one is. */
    private static void second(int count, Census census) throws Exception {
        lock(count, census);
        Vm.inThread(SecondConnection::new);
        System.gc();
        Vm.await("enqueued", () -> Vm.enqueued(SecondConnection.class) == 1);
        // The queue's last is its first: the second thread takes that one.
        HolderScenarios.startDaemon("lab-runner", System::runFinalization);
        SECOND_STUCK.await();
        census.finalizers(SecondConnection.class, "in_processing", 1);
        census.queueLength(Vm.enqueued());
        Vm.await("waiting", () -> Vm.thread("Secondary finalizer").getState() == Thread.State.WAITING);
    }

    private static void initialiser(int count, Census census) throws Exception {
        HolderScenarios.startDaemon(OWNER, Library::free);
        Vm.await("initialising", () -> Vm.thread(OWNER).getState() == Thread.State.WAITING);
        behind(LibraryImage::new, count, census);
        census.finalizers(LibraryImage.class, "in_processing", 1);
        census.finding("finalizer-stuck", LibraryImage.class, count, OWNER);
    }

    private static void future(int count, Census census) throws Exception {
        POOL.execute(HolderScenarios::parkForever);
        behind(FutureOrder::new, count, census);
        Vm.await("waiting", () -> Vm.thread("Finalizer").getState() == Thread.State.WAITING);
        census.finalizers(FutureOrder.class, "in_processing", 1);
        census.finding("finalizer-stuck", FutureOrder.class, count, OWNER);
    }

    private static void socket(int count, Census census) throws Exception {
        server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
        peer = new Socket(server.getInetAddress(), server.getLocalPort());
        behind(SocketCursor::new, count, census);
        census.finalizers(SocketCursor.class, "in_processing", 1);
        census.finding("finalizer-stuck", SocketCursor.class, count, "");
    }

    private static void slowWait(int count, Census census) throws Exception {
        behind(SlowSocket::new, count, census);
        Vm.await("sleeping", () -> Vm.thread("Finalizer").getState() == Thread.State.TIMED_WAITING);
        census.finalizers(SlowSocket.class, "in_processing", 1);
        census.finding("finalizer-slow", SlowSocket.class, count, "");
    }

    private static void slowWork(int count, Census census) throws Exception {
        Vm.inThread(() -> {
            for (int i = 0; i <= count; i++) {
                new SlowIndex();
            }
        });
        System.gc();
        Vm.await("all enqueued", () -> Vm.enqueued(SlowIndex.class) == count);
        census.finalizers(SlowIndex.class, "in_processing", 1);
        census.finalizers(SlowIndex.class, "enqueued", count);
        census.queueLength(Vm.enqueued());
        census.finding("finalizer-slow", SlowIndex.class, count, "");
    }

    /** One object whose finalize() does not return, and count victims of another class behind it. */
    private static void behind(Runnable culprit, int count, Census census) throws Exception {
        Vm.inThread(culprit);
        System.gc();
        Items.STUCK.await();
        Vm.inThread(() -> {
            for (int i = 0; i < count; i++) {
                new Enqueued();
            }
        });
        System.gc();
        Vm.await("all enqueued", () -> Vm.enqueued(Enqueued.class) == count);
        census.finalizers(Enqueued.class, "enqueued", count);
        census.queueLength(Vm.enqueued());
    }
}
