package testbed.lab;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/**
 * A program that allocates at a known pace, for what collectors say of themselves: most of it dies young, some
 * lives for a while, and some is kept for good.
 */
public final class Churn {
    private static final int TICKS_PER_SECOND = 50;
    private static final int TICKS_PER_LINE = 10;
    private static final int CHUNK_BYTES = 16 * 1024;
    private static final int MEBI = 1024 * 1024;

    private static final List<byte[]> LEAKED = new ArrayList<>();

    private Churn() {
    }

    /**
     * Arguments: MiB allocated a second, MiB alive, KiB leaked a second. Prints {@code ALLOCATED MiB=N}, what it
     * has allocated so far, several times a second.
     */
    public static void main(String[] args) throws InterruptedException {
        int chunksPerTick = Integer.parseInt(args[0]) * (MEBI / CHUNK_BYTES) / TICKS_PER_SECOND;
        int aliveChunks = Integer.parseInt(args[1]) * (MEBI / CHUNK_BYTES);
        int leakBytes = Integer.parseInt(args[2]) * 1024 / TICKS_PER_SECOND;
        Deque<byte[]> alive = new ArrayDeque<>();
        System.out.println("READY");
        for (int tick = 1; true; tick++) {
            for (int i = 0; i < chunksPerTick; i++) {
                byte[] chunk = new byte[CHUNK_BYTES];
                if (i % 8 == 0) {
                    alive.add(chunk);
                }
            }
            while (alive.size() > aliveChunks) {
                alive.remove();
            }
            if (leakBytes > 0) {
                LEAKED.add(new byte[leakBytes]);
            }
            if (tick % TICKS_PER_LINE == 0) {
                System.out.println("ALLOCATED MiB=" + (double) tick * (chunksPerTick * CHUNK_BYTES + leakBytes) / MEBI);
            }
            Thread.sleep(1000 / TICKS_PER_SECOND);
        }
    }
}
