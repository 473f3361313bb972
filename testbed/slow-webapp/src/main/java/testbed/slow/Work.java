package testbed.slow;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;

/** Work for the processor. */
final class Work {
    private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

    /** What the work leads to, so that it is not left out as useless. */
    private static volatile double sum;

    private Work() {
    }

    /** Uses up as much time on a processor. */
    static void burn(long ms) {
        long end = THREADS.getCurrentThreadCpuTime() + ms * 1_000_000;
        double x = 1;
        while (THREADS.getCurrentThreadCpuTime() < end) {
            for (int i = 0; i < 10_000; i++) {
                x += Math.sqrt(x + i);
            }
        }
        sum = x;
    }

    /** Collects garbage over and over. */
    static void collect(long ms) {
        long end = System.nanoTime() + ms * 1_000_000;
        while (System.nanoTime() < end) {
            System.gc();
        }
    }
}
