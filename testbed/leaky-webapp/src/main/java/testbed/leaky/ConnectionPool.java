package testbed.leaky;

import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;

/**
 * A fixed number of connections that stay open. By hand, because the pools of
 * today ask the driver for JDBC 4 methods that it does not have.
 */
final class ConnectionPool {
    private final BlockingQueue<Connection> idle;

    private ConnectionPool(BlockingQueue<Connection> idle) {
        this.idle = idle;
    }

    /** Opens {@code size} connections to {@code url}. */
    static ConnectionPool open(String url, int size) throws SQLException, ClassNotFoundException {
        // The driver is older than the service file that would register it.
        Class.forName("org.postgresql.Driver");
        BlockingQueue<Connection> connections = new ArrayBlockingQueue<>(size);
        for (int i = 0; i < size; i++) {
            connections.add(DriverManager.getConnection(url));
        }
        return new ConnectionPool(connections);
    }

    /** Waits for an idle connection; the caller gives it back. */
    Connection borrow() throws InterruptedException {
        return idle.take();
    }

    void giveBack(Connection connection) {
        idle.add(connection);
    }
}
