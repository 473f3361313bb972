package testbed.lab;

import java.lang.ref.PhantomReference;
import java.lang.ref.Reference;
import java.lang.ref.ReferenceQueue;
import java.lang.ref.SoftReference;
import java.lang.ref.WeakReference;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Function;

import testbed.lab.Items.Child;
import testbed.lab.Items.Dead;
import testbed.lab.Items.Held;
import testbed.lab.Items.Parent;

/** Registered finalizables, told apart only by who holds them. */
final class HolderScenarios {
    /** What a scenario keeps alive. */
    private static final List<Object> ROOTS = new ArrayList<>();
    private static final ReferenceQueue<Dead> QUEUE = new ReferenceQueue<>();

    private HolderScenarios() {
    }

    static void addTo(Map<String, Scenario> all) {
        all.put("held", HolderScenarios::held);
        all.put("dead", HolderScenarios::dead);
        all.put("dead-chain", HolderScenarios::deadChain);
        all.put("soft", HolderScenarios::soft);
        all.put("weak", (count, census) -> deadBehind(count, census, WeakReference::new));
        all.put("phantom", (count, census) -> deadBehind(count, census, dead -> new PhantomReference<>(dead, QUEUE)));
        all.put("frame", HolderScenarios::frame);
        all.put("thread-local", HolderScenarios::threadLocal);
    }

    /** Held by a static list. */
    static void held(int count, Census census) {
        for (int i = 0; i < count; i++) {
            ROOTS.add(new Held());
        }
        census.finalizers(Held.class, "registered_held", count);
    }

    /** Held by nobody, and no collection has noticed yet. */
    static void dead(int count, Census census) throws InterruptedException {
        Vm.inThreadUncollected(() -> {
            for (int i = 0; i < count; i++) {
                new Dead();
            }
        });
        census.finalizers(Dead.class, "registered_dead", count);
    }

    /** Held by another finalizable that is dead itself. */
    private static void deadChain(int count, Census census) throws InterruptedException {
        Vm.inThreadUncollected(() -> {
            for (int i = 0; i < count; i++) {
                new Parent();
            }
        });
        census.finalizers(Parent.class, "registered_dead", count);
        census.finalizers(Child.class, "registered_dead", count);
    }

    /** Held by soft references alone: alive while memory lasts. */
    private static void soft(int count, Census census) {
        for (int i = 0; i < count; i++) {
            ROOTS.add(new SoftReference<>(new Held()));
        }
        census.finalizers(Held.class, "registered_held", count);
    }

    /** Referred to by references that do not hold. */
    private static void deadBehind(int count, Census census, Function<Dead, Reference<Dead>> refer) throws InterruptedException {
        Vm.inThreadUncollected(() -> {
            for (int i = 0; i < count; i++) {
                ROOTS.add(refer.apply(new Dead()));
            }
        });
        census.finalizers(Dead.class, "registered_dead", count);
    }

    /** Held by a local variable of a running method. */
    private static void frame(int count, Census census) throws InterruptedException {
        CountDownLatch ready = new CountDownLatch(1);
        startDaemon("frame-holder", () -> {
            Held[] local = new Held[count];
            for (int i = 0; i < count; i++) {
                local[i] = new Held();
            }
            ready.countDown();
            parkForever();
            Reference.reachabilityFence(local);
        });
        ready.await();
        census.finalizers(Held.class, "registered_held", count);
    }

    /** Held by a thread's map of thread locals, whose keys are weak and whose values are not. */
    private static void threadLocal(int count, Census census) throws InterruptedException {
        CountDownLatch ready = new CountDownLatch(1);
        startDaemon("thread-local-holder", () -> {
            for (int i = 0; i < count; i++) {
                ThreadLocal<Held> local = new ThreadLocal<>();
                local.set(new Held());
                ROOTS.add(local);
            }
            ready.countDown();
            parkForever();
        });
        ready.await();
        census.finalizers(Held.class, "registered_held", count);
    }

    static void startDaemon(String name, Runnable work) {
        Thread thread = new Thread(work, name);
        thread.setDaemon(true);
        thread.start();
    }

    static void parkForever() {
        while (true) {
            LockSupport.park();
        }
    }
}
