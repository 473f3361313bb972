package testbed.slow;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.file.Files;
import java.nio.file.Path;

/** What the present thread has used up, and waited for, since the meter was made. */
final class Meter {
    private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();
    private static final Path SCHEDULER = Path.of("/proc/thread-self/schedstat");

    private final long wall = System.nanoTime();
    private final long cpu = THREADS.getCurrentThreadCpuTime();
    private final double queued = queuedMs();

    /** Time on a processor. */
    double cpuMs() {
        return (THREADS.getCurrentThreadCpuTime() - cpu) / 1e6;
    }

    /** Time ready to run without a processor. */
    double runQueueMs() {
        return queuedMs() - queued;
    }

    /** Time that was neither. */
    double waitedMs() {
        return Math.max(0, (System.nanoTime() - wall) / 1e6 - cpuMs() - runQueueMs());
    }

    private static double queuedMs() {
        try {
            return Long.parseLong(Files.readString(SCHEDULER).trim().split(" ")[1]) / 1e6;
        } catch (IOException e) {
            return 0; // no Linux: the run queue is not told apart
        }
    }
}
