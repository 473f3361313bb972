package testbed.slow;

import java.io.BufferedWriter;
import java.io.Closeable;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.List;
import java.util.Map;

/** The log of what requests really did, a JSON object a line. */
final class Truth implements Closeable {
    private final BufferedWriter out;

    Truth(File file) throws IOException {
        out = Files.newBufferedWriter(file.toPath(), StandardCharsets.UTF_8);
    }

    /** Writes down a request that has ended; milliseconds by class. */
    synchronized void write(String path, long startMs, double totalMs, Map<String, Double> byClass, List<Wait> waits) throws IOException {
        StringBuilder line = new StringBuilder();
        line.append("{\"path\":\"").append(path).append("\",\"start_ms\":").append(startMs);
        line.append(",\"total_ms\":").append(totalMs).append(",\"classes\":{");
        String separator = "";
        for (Map.Entry<String, Double> e : byClass.entrySet()) {
            line.append(separator).append('"').append(e.getKey()).append("\":").append(e.getValue());
            separator = ",";
        }
        line.append("},\"waits\":[");
        separator = "";
        for (Wait wait : waits) {
            line.append(separator).append(wait.json());
            separator = ",";
        }
        out.append(line.append("]}\n"));
        out.flush();
    }

    @Override
    public void close() throws IOException {
        out.close();
    }
}
