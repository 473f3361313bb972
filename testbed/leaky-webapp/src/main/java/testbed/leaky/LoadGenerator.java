package testbed.leaky;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/**
 * Asks a URL for {@code ?id=1}, {@code ?id=2}, ... at a given rate until it is
 * killed, or until requests fail for good. Arguments: URL, requests per second,
 * clients.
 *
 * <p>Prints {@code READY rate=N} on standard output before the first request.
 */
public final class LoadGenerator {
    /** Consecutive failures of one client after which it gives up. */
    private static final int FAILURES_TO_GIVE_UP = 50;
    private static final Duration REQUEST_TIMEOUT = Duration.ofSeconds(10);

    private final HttpClient http = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1).connectTimeout(REQUEST_TIMEOUT).build();
    private final AtomicInteger lastId = new AtomicInteger();
    private final String url;
    private final long intervalNanos;

    private LoadGenerator(String url, long intervalNanos) {
        this.url = url;
        this.intervalNanos = intervalNanos;
    }

    public static void main(String[] args) throws InterruptedException {
        if (args.length != 3) {
            System.err.println("usage: LoadGenerator URL REQUESTS_PER_SECOND CLIENTS");
            System.exit(2);
        }
        int rate = Integer.parseInt(args[1]);
        int clients = Integer.parseInt(args[2]);
        LoadGenerator load = new LoadGenerator(args[0], 1_000_000_000L * clients / rate);
        System.out.println("READY rate=" + rate);

        Thread[] threads = new Thread[clients];
        for (int i = 0; i < clients; i++) {
            threads[i] = new Thread(load::run, "client-" + i);
            threads[i].start();
        }
        for (Thread thread : threads) {
            thread.join();
        }
        System.exit(1);
    }

    /** One client: a request each interval; time lost to slow answers is not made up for. */
    private void run() {
        int failures = 0;
        long due = System.nanoTime();
        while (failures < FAILURES_TO_GIVE_UP) {
            failures = ask() ? 0 : failures + 1;
            due = Math.max(due + intervalNanos, System.nanoTime());
            while (System.nanoTime() < due) {
                LockSupport.parkNanos(due - System.nanoTime());
            }
        }
        System.err.println(Thread.currentThread().getName() + ": gave up after " + failures + " failures in a row");
    }

    private boolean ask() {
        URI uri = URI.create(url + "?id=" + (lastId.incrementAndGet() & 0x0fff_ffff));
        try {
            int status = http.send(
                    HttpRequest.newBuilder(uri).timeout(REQUEST_TIMEOUT).build(), BodyHandlers.discarding()).statusCode();
            return status == 200;
        } catch (IOException e) {
            return false;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }
}
