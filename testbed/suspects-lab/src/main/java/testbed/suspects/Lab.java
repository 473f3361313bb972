package testbed.suspects;

import java.lang.management.ManagementFactory;
import java.util.Map;
import java.util.TreeMap;

import com.sun.management.HotSpotDiagnosticMXBean;

/**
 * Builds one kind of heap, prints what must be found in it as one line of JSON, and writes a
 * dump of itself.
 *
 * <p>Arguments: scenario, path of the dump, "live" or "all".
 */
public final class Lab {
    private Lab() {
    }

    public static void main(String[] args) throws Exception {
        Map<String, Scenario> scenarios = new TreeMap<>();
        HeapScenarios.addTo(scenarios);
        ThreadLocalScenarios.addTo(scenarios);
        LoaderScenarios.addTo(scenarios);
        PoolScenarios.addTo(scenarios);
        SchedulerScenarios.addTo(scenarios);
        ExecutorScenarios.addTo(scenarios);
        ThreadScenarios.addTo(scenarios);
        LockScenarios.addTo(scenarios);
        JdbcScenarios.addTo(scenarios);
        HealthyScenarios.addTo(scenarios);
        if (args.length != 3 || !scenarios.containsKey(args[0]) || !args[2].matches("live|all")) {
            System.err.println("usage: Lab SCENARIO DUMP live|all\nscenarios: " + scenarios.keySet());
            System.exit(2);
        }
        Expected expected = new Expected(args[0]);
        scenarios.get(args[0]).build(expected);
        if (expected.collected()) {
            System.gc();
        }
        ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class).dumpHeap(args[1], args[2].equals("live"));
        System.out.println("EXPECTED " + expected.toJson());
        System.out.flush();
        Runtime.getRuntime().halt(0);
    }
}
