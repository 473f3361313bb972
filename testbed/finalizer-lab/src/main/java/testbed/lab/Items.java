package testbed.lab;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;

/** The finalizable classes: one per state, so that counts per class tell the states apart. */
final class Items {
    /** How many objects of this class were finalized. */
    static final AtomicInteger FINALIZED = new AtomicInteger();
    /** Opens when the Finalizer thread is stuck. */
    static final CountDownLatch STUCK = new CountDownLatch(1);
    private static final CountDownLatch NEVER = new CountDownLatch(1);

    private Items() {
    }

    abstract static class Item {
        final byte[] payload = new byte[32];

        @Override
        protected void finalize() {
            FINALIZED.incrementAndGet();
        }
    }

    static final class Held extends Item {
    }

    static final class Dead extends Item {
    }

    static final class Pending extends Item {
    }

    static final class Enqueued extends Item {
    }

    static final class Done extends Item {
    }

    /** Refers to another finalizable object. */
    static final class Parent extends Item {
        final Child child = new Child();
    }

    static final class Child extends Item {
    }

    /** Its finalize() never returns. */
    static final class Stuck {
        @Override
        protected void finalize() throws InterruptedException {
            STUCK.countDown();
            NEVER.await();
        }
    }
}
