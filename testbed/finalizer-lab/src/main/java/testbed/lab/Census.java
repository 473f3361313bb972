package testbed.lab;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.StringJoiner;
import java.util.TreeMap;

/** What a scenario counted. The names are those of the analyser's report. */
final class Census {
    private final String scenario;
    private final Map<String, Map<String, Integer>> finalizers = new TreeMap<>();
    private final List<String> schedulers = new ArrayList<>();
    private final List<String> findings = new ArrayList<>();
    private int done;
    private int queueLength;
    private boolean healthy;

    Census(String scenario) {
        this.scenario = scenario;
    }

    /** {@code count} Finalizers of this class are in this state. */
    void finalizers(Class<?> referent, String state, int count) {
        finalizers.computeIfAbsent(referent.getName(), name -> new TreeMap<>()).merge(state, count, Integer::sum);
    }

    /** {@code count} Finalizers have run. Their class is no longer known. */
    void done(int count) {
        done += count;
    }

    /** The length of the Finalizer thread's queue, all classes together. */
    void queueLength(int length) {
        queueLength = length;
    }

    void scheduler(String kind, String thread, int size, int cancelled) {
        schedulers.add(String.format("{\"kind\":\"%s\",\"thread\":\"%s\",\"size\":%d,\"cancelled\":%d}",
                kind, thread, size, cancelled));
    }

    /** A finding of this kind, with this class to blame, must be in the report. */
    void finding(String kind, Class<?> culprit) {
        finding(kind, culprit, 0, "");
    }

    /** The same with the number of objects concerned, 0 if that is not known, and the thread that owns the lock, or "". */
    void finding(String kind, Class<?> culprit, int objects, String owner) {
        findings.add(String.format("{\"kind\":\"%s\",\"culprit\":\"%s\",\"objects\":%d,\"owner\":\"%s\"}",
                kind, culprit.getName(), objects, owner));
    }

    /** Nothing is wrong: the report must not alarm. */
    void healthy() {
        healthy = true;
    }

    String toJson() {
        StringJoiner classes = new StringJoiner(",", "{", "}");
        finalizers.forEach((name, states) -> {
            StringJoiner counts = new StringJoiner(",", "{", "}");
            states.forEach((state, count) -> counts.add("\"" + state + "\":" + count));
            classes.add("\"" + name + "\":" + counts);
        });
        return "{\"scenario\":\"" + scenario + "\",\"finalizers\":" + classes + ",\"done\":" + done
                + ",\"queue_length\":" + queueLength + ",\"schedulers\":" + schedulers
                + ",\"findings\":" + findings + ",\"healthy\":" + healthy + "}";
    }
}
