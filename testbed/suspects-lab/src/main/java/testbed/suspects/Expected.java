package testbed.suspects;

import java.util.ArrayList;
import java.util.List;

/** What the report must say; beyond that it must not alarm. The names are those of the report. */
final class Expected {
    private final String scenario;
    private final List<String> findings = new ArrayList<>();
    private final List<String> schedulers = new ArrayList<>();

    private boolean asItIs;

    Expected(String scenario) {
        this.scenario = scenario;
    }

    /** A finding of this kind, with this class to blame, for at least so many objects and of this severity. */
    void finding(String kind, String culprit, long objects, String severity) {
        findings.add(String.format("{\"kind\":\"%s\",\"culprit\":\"%s\",\"objects\":%d,\"severity\":\"%s\"}",
                kind, culprit, objects, severity));
    }

    /** Nothing is collected before the dump. */
    void asItIs() {
        asItIs = true;
    }

    boolean collected() {
        return !asItIs;
    }

    /** A scheduler of this kind and thread, with so many tasks, so many of them cancelled. */
    void scheduler(String kind, String thread, int size, int cancelled) {
        schedulers.add(String.format("{\"kind\":\"%s\",\"thread\":\"%s\",\"size\":%d,\"cancelled\":%d}",
                kind, thread, size, cancelled));
    }

    String toJson() {
        return "{\"scenario\":\"" + scenario + "\",\"findings\":" + findings + ",\"schedulers\":" + schedulers + "}";
    }
}
