package testbed.suspects;

import java.lang.ref.PhantomReference;
import java.lang.ref.ReferenceQueue;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.WeakHashMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.LinkedBlockingQueue;

/** Heaps that fill up with what nobody takes out. */
final class HeapScenarios {
    static final Map<String, Session> SESSIONS = new HashMap<>();
    static final Map<Long, Session> BY_ID = new ConcurrentHashMap<>();
    static final Queue<Session> WAITING = new ConcurrentLinkedQueue<>();
    static final Queue<Session> JOBS = new LinkedBlockingQueue<>();
    static final Map<User, Profile> PROFILES = new WeakHashMap<>();
    static final List<User> USERS = new ArrayList<>();
    static Event log;
    static final List<String> CITIES = new ArrayList<>();
    static final List<ByteBuffer> BUFFERS = new ArrayList<>();
    static final List<Map<String, String>> ATTRIBUTES = new ArrayList<>();

    static final ReferenceQueue<Object> GONE = new ReferenceQueue<>();
    static final List<Note> NOTES = new ArrayList<>();

    private static final int COUNT = 20_000;

    private HeapScenarios() {
    }

    static final class Session {
        final byte[] state = new byte[1024];
        final String user;

        Session(int i) {
            user = "user " + i;
        }
    }

    static final class Event {
        final Event before;
        final byte[] data = new byte[1024];

        Event(Event before) {
            this.before = before;
        }
    }

    static final class User {
    }

    /** What is known of a user; it may know whose it is. */
    static final class Profile {
        final User user;
        final byte[] picture = new byte[512];

        Profile(User user) {
            this.user = user;
        }
    }

    /** What a registry notes of an object, until somebody takes it off the queue. */
    static final class Note extends PhantomReference<Object> {
        final byte[] where = new byte[500];

        Note(Object of) {
            super(of, GONE);
        }
    }

    static void addTo(Map<String, Scenario> all) {
        String here = HeapScenarios.class.getName();
        all.put("queue-unpolled", expected -> {
            for (int i = 0; i < COUNT; i++) {
                NOTES.add(new Note(new Object()));
            }
            System.gc();
            for (Note note : NOTES) {
                while (!note.isEnqueued()) {
                    Thread.onSpinWait();
                }
            }
            expected.finding("cleaner-backlog", Note.class.getName(), COUNT, "warning");
        });
        all.put("growing-map", expected -> {
            for (int i = 0; i < COUNT; i++) {
                SESSIONS.put("session-" + i, new Session(i));
            }
            expected.finding("growing-collection", here, COUNT, "info");
        });
        all.put("weak-map-of-itself", expected -> {
            for (int i = 0; i < COUNT; i++) {
                User user = new User();
                PROFILES.put(user, new Profile(user));
            }
            expected.finding("growing-collection", here, COUNT, "warning");
        });
        all.put("healthy-weak-map", expected -> {
            for (int i = 0; i < COUNT; i++) {
                User user = new User();
                USERS.add(user);
                PROFILES.put(user, new Profile(null));
            }
        });
        all.put("growing-concurrent-map", expected -> {
            for (int i = 0; i < COUNT; i++) {
                BY_ID.put((long) i, new Session(i));
            }
            expected.finding("growing-collection", here, COUNT, "info");
        });
        all.put("growing-queue", expected -> {
            for (int i = 0; i < COUNT; i++) {
                WAITING.add(new Session(i));
            }
            expected.finding("growing-collection", here, COUNT, "info");
        });
        all.put("growing-blocking-queue", expected -> {
            for (int i = 0; i < COUNT; i++) {
                JOBS.add(new Session(i));
            }
            expected.finding("growing-collection", here, COUNT, "info");
        });
        all.put("big-retainer", expected -> {
            for (int i = 0; i < COUNT; i++) {
                log = new Event(log);
            }
            expected.finding("big-retainer", here, 1, "info");
        });
        all.put("duplicate-strings", expected -> {
            for (int i = 0; i < 10 * COUNT; i++) {
                CITIES.add(new String(("the city of number " + i % 10 + ", with a long name").toCharArray()));
            }
            expected.finding("duplicate-strings", "java.lang.String", 9 * COUNT, "info");
        });
        all.put("direct-buffers", expected -> {
            for (int i = 0; i < 95; i++) {
                BUFFERS.add(ByteBuffer.allocateDirect(1 << 20));
            }
            expected.finding("direct-buffers", here, 95, "warning");
        });
        all.put("sparse-maps", expected -> {
            for (int i = 0; i < COUNT; i++) {
                Map<String, String> attributes = new HashMap<>(256);
                attributes.put("name", "value");
                ATTRIBUTES.add(attributes);
            }
            expected.finding("sparse-arrays", "java.util.HashMap$Node[]", COUNT, "info");
        });
    }
}
