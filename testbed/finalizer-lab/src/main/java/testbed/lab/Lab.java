package testbed.lab;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.util.Map;
import java.util.TreeMap;

import com.sun.management.HotSpotDiagnosticMXBean;

/**
 * Builds one kind of heap, counts what it built, prints the counts as one line
 * of JSON and writes a dump of itself.
 *
 * <p>Arguments: scenario, count, path of the dump, "live" or "all".
 *
 * <p>The counts are those before the dump: a "live" dump of a stop-the-world
 * collector collects once more, see the reader's side.
 *
 * <p>Needs a young generation that holds everything, so that no collection
 * happens but those that a scenario asks for; checks that. The scenario
 * "pending" needs {@code --add-opens java.base/java.lang.ref=ALL-UNNAMED}.
 */
public final class Lab {
    private Lab() {
    }

    public static void main(String[] args) throws Exception {
        Map<String, Scenario> scenarios = scenarios();
        if (args.length != 4 || !scenarios.containsKey(args[0]) || !args[3].matches("live|all")) {
            System.err.println("usage: Lab SCENARIO COUNT DUMP live|all\nscenarios: " + scenarios.keySet());
            System.exit(2);
        }
        // What the dump itself needs is there before the scenario starts.
        HotSpotDiagnosticMXBean diagnostics = ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class);
        Census census = new Census(args[0]);

        scenarios.get(args[0]).build(Integer.parseInt(args[1]), census);

        System.out.println(census.toJson());
        dump(diagnostics, args[2], args[3].equals("live"));
        System.exit(0);
    }

    private static void dump(HotSpotDiagnosticMXBean diagnostics, String path, boolean live) throws IOException {
        diagnostics.dumpHeap(path, live);
    }

    private static Map<String, Scenario> scenarios() {
        Map<String, Scenario> all = new TreeMap<>();
        HolderScenarios.addTo(all);
        QueueScenarios.addTo(all);
        TimerScenarios.addTo(all);
        StuckScenarios.addTo(all);
        CleanerScenarios.addTo(all);
        BlockedScenarios.addTo(all);
        InUseScenarios.addTo(all);
        all.put("healthy", new HealthyScenario());
        return all;
    }
}
