package testbed.suspects.app;

import java.util.concurrent.CountDownLatch;

/** A thread that the application starts, and forgets to stop. */
final class Worker extends Thread {
    private final Application application = new Application();
    private final CountDownLatch started = new CountDownLatch(1);

    Worker() {
        super("shop-worker");
        setDaemon(true);
        setContextClassLoader(null);
    }

    void awaitStarted() throws InterruptedException {
        started.await();
    }

    @Override
    public void run() {
        try {
            started.countDown();
            new CountDownLatch(application.size()).await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
