package testbed.suspects;

import java.net.ServerSocket;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/** Threads that wait for each other, or all for the same lock. */
final class LockScenarios {
    private static final int WAITING = 20;
    private static final int POOL = 6;
    private static final int BUFFER = 1 << 20;
    private static final Object MONITOR = new Object();
    private static final ReentrantLock LOCK = new ReentrantLock();
    private static final ReentrantReadWriteLock SHARED = new ReentrantReadWriteLock();
    private static final List<Object> KEPT = new ArrayList<>();

    private LockScenarios() {
    }

    /** Moves money as textbooks warn of: each end is locked by a synchronized method. */
    static final class Account {
        private long balance = 100;

        synchronized void transfer(Account to, CountDownLatch both) throws InterruptedException {
            both.countDown();
            both.await();
            balance--;
            to.deposit();
        }

        synchronized void deposit() {
            balance++;
        }
    }

    interface Step {
        void run() throws Exception;
    }

    static void addTo(Map<String, Scenario> all) {
        all.put("deadlock-methods", expected -> {
            Account a = new Account();
            Account b = new Account();
            CountDownLatch both = new CountDownLatch(2);
            Thread first = start("transfer-1", () -> a.transfer(b, both));
            Thread second = start("transfer-2", () -> b.transfer(a, both));
            await(Thread.State.BLOCKED, first, second);
            expected.finding("deadlock", Account.class.getName(), 2, "warning");
        });
        all.put("deadlock-locks", LockScenarios::deadlockOfLocks);
        all.put("deadlock-mixed", LockScenarios::deadlockOfThree);
        all.put("deadlock-pool", LockScenarios::starving);
        all.put("convoy-monitor", LockScenarios::behindSocket);
        all.put("convoy-buffers", LockScenarios::behindReader);
        all.put("healthy-locks", LockScenarios::idle);
    }

    /** Two locks of java.util.concurrent in opposite order, and requests that come after. */
    private static void deadlockOfLocks(Expected expected) throws Exception {
        ReentrantLock other = new ReentrantLock();
        CountDownLatch both = new CountDownLatch(2);
        Thread first = start("orders", () -> inOrder(LOCK, other, both));
        Thread second = start("stock", () -> inOrder(other, LOCK, both));
        await(Thread.State.WAITING, first, second);
        Thread[] requests = new Thread[WAITING];
        for (int i = 0; i < WAITING; i++) {
            requests[i] = start("http-nio-8080-exec-" + i, () -> {
                LOCK.lock();
                LOCK.unlock();
            });
        }
        await(Thread.State.WAITING, requests);
        expected.finding("deadlock", LockScenarios.class.getName(), 2 + WAITING, "critical");
    }

    private static void inOrder(ReentrantLock first, ReentrantLock second, CountDownLatch both) throws InterruptedException {
        first.lock();
        both.countDown();
        both.await();
        second.lock();
        second.unlock();
        first.unlock();
    }

    /** A circle of three: of a monitor in a local variable, one in a field, and a lock. */
    private static void deadlockOfThree(Expected expected) throws Exception {
        Object local = new Object();
        CountDownLatch all = new CountDownLatch(3);
        Thread first = start("first", () -> {
            synchronized (local) {
                meet(all);
                synchronized (MONITOR) {
                    KEPT.add(local);
                }
            }
        });
        Thread second = start("second", () -> {
            synchronized (MONITOR) {
                meet(all);
                LOCK.lock();
            }
        });
        Thread third = start("third", () -> {
            LOCK.lock();
            meet(all);
            synchronized (local) {
                KEPT.add(local);
            }
        });
        await(Thread.State.BLOCKED, first, third);
        await(Thread.State.WAITING, second);
        expected.finding("deadlock", LockScenarios.class.getName(), 3, "warning");
    }

    private static void meet(CountDownLatch all) throws InterruptedException {
        all.countDown();
        all.await();
    }

    /** Tasks that wait for tasks of the same pool, on all of its threads. */
    private static void starving(Expected expected) throws Exception {
        ThreadPoolExecutor pool = new ThreadPoolExecutor(POOL, POOL, 1, TimeUnit.HOURS, new LinkedBlockingQueue<>());
        KEPT.add(pool);
        CountDownLatch all = new CountDownLatch(POOL);
        for (int i = 0; i < POOL; i++) {
            pool.submit(() -> {
                meet(all);
                return pool.submit(() -> "part").get();
            });
        }
        while (pool.getQueue().size() < POOL) {
            TimeUnit.MILLISECONDS.sleep(5);
        }
        TimeUnit.MILLISECONDS.sleep(100); // until the last one waits, too
        expected.finding("deadlock", LockScenarios.class.getName(), POOL, "warning");
    }

    /** Requests that all need a monitor, whose owner reads from a peer that does not answer. */
    private static void behindSocket(Expected expected) throws Exception {
        ServerSocket peer = new ServerSocket(0);
        KEPT.add(peer);
        CountDownLatch held = new CountDownLatch(1);
        start("refresher", () -> {
            synchronized (MONITOR) {
                Socket socket = new Socket(peer.getInetAddress(), peer.getLocalPort());
                held.countDown();
                socket.getInputStream().read();
            }
        });
        held.await();
        Thread[] requests = new Thread[WAITING];
        for (int i = 0; i < WAITING; i++) {
            requests[i] = start("http-nio-8080-exec-" + i, () -> {
                synchronized (MONITOR) {
                    KEPT.add(MONITOR);
                }
            });
        }
        await(Thread.State.BLOCKED, requests);
        expected.finding("lock-convoy", LockScenarios.class.getName(), WAITING, "info");
    }

    /** Writers that wait for one reader; what each has in hand fills the heap. */
    private static void behindReader(Expected expected) throws Exception {
        CountDownLatch held = new CountDownLatch(1);
        start("exporter", () -> {
            SHARED.readLock().lock();
            held.countDown();
            TimeUnit.HOURS.sleep(1);
        });
        held.await();
        Thread[] requests = new Thread[WAITING];
        for (int i = 0; i < WAITING; i++) {
            requests[i] = start("upload-" + i, () -> {
                byte[] body = new byte[BUFFER];
                SHARED.writeLock().lock();
                KEPT.add(body);
            });
        }
        await(Thread.State.WAITING, requests);
        expected.finding("lock-convoy", LockScenarios.class.getName(), WAITING, "warning");
    }

    /** Pools without work, their threads all waiting for one queue, and a lock that a few threads take in turn. */
    private static void idle(Expected expected) throws Exception {
        ThreadPoolExecutor pool = new ThreadPoolExecutor(50, 50, 1, TimeUnit.HOURS, new LinkedBlockingQueue<>());
        pool.prestartAllCoreThreads();
        KEPT.add(pool);
        ExecutorService stealing = Executors.newWorkStealingPool(8);
        KEPT.add(stealing);
        KEPT.add(Executors.newScheduledThreadPool(4));
        CountDownLatch never = new CountDownLatch(1);
        for (int i = 0; i < WAITING; i++) {
            start("waiting-" + i, never::await);
            start("consumer-" + i, () -> {
                synchronized (never) {
                    never.wait();
                }
            });
        }
        for (int i = 0; i < WAITING / 4; i++) {
            start("busy-" + i, () -> {
                long sum = 0;
                while (!Thread.currentThread().isInterrupted()) {
                    synchronized (MONITOR) {
                        sum += KEPT.size();
                    }
                    LOCK.lock();
                    sum++;
                    LOCK.unlock();
                }
                KEPT.add(sum);
            });
        }
        TimeUnit.MILLISECONDS.sleep(300);
    }

    private static Thread start(String name, Step step) {
        Thread thread = new Thread(() -> {
            try {
                step.run();
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        }, name);
        thread.setDaemon(true);
        thread.start();
        return thread;
    }

    private static void await(Thread.State state, Thread... threads) throws InterruptedException {
        for (Thread thread : threads) {
            while (thread.getState() != state) {
                TimeUnit.MILLISECONDS.sleep(5);
            }
        }
    }
}
