package testbed.suspects;

import java.sql.Connection;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

import javax.sql.DataSource;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;

import org.apache.commons.dbcp2.BasicDataSource;

/** Pools of connections to a database in memory. */
final class PoolScenarios {
    private static final int SIZE = 10;
    private static final int LOST = 8;
    private static final int STATEMENTS = 3000;
    private static final String URL = "jdbc:h2:mem:lab";
    private static DataSource pool;
    private static List<Connection> inUse = new ArrayList<>();

    private PoolScenarios() {
    }

    static void addTo(Map<String, Scenario> all) {
        all.put("pool-hikari", expected -> {
            pool = hikari();
            abandon(LOST);
            expected.finding("abandoned-connections", "org.h2.jdbc.JdbcConnection", LOST, "critical");
        });
        all.put("pool-tomcat", expected -> {
            pool = tomcat();
            abandon(LOST);
            expected.finding("abandoned-connections", "org.h2.jdbc.JdbcConnection", LOST, "critical");
        });
        all.put("pool-dbcp", expected -> {
            pool = dbcp();
            abandon(LOST);
            expected.finding("abandoned-connections", "org.h2.jdbc.JdbcConnection", LOST, "critical");
        });
        // Closed statements lie in the pool's own cache, which has no bound.
        all.put("pool-statements", expected -> {
            BasicDataSource source = (BasicDataSource) dbcp();
            source.setPoolPreparedStatements(true);
            pool = source;
            try (Connection connection = pool.getConnection()) {
                for (int i = 0; i < STATEMENTS; i++) {
                    connection.prepareStatement("select " + i).close();
                }
            }
            expected.finding("statement-cache", "org.h2.jdbc.JdbcPreparedStatement", STATEMENTS, "info");
        });
        // All connections lie in a list, and a request waits for one.
        all.put("pool-kept", expected -> {
            pool = hikari();
            use();
            Thread request = new Thread(() -> {
                try {
                    pool.getConnection();
                } catch (java.sql.SQLException e) {
                    throw new IllegalStateException(e);
                }
            }, "request");
            request.setDaemon(true);
            request.start();
            while (request.getState() != Thread.State.TIMED_WAITING) {
                Thread.onSpinWait();
            }
            expected.finding("abandoned-connections", PoolScenarios.class.getName(), SIZE, "critical");
        });
        all.put("healthy-pool-dbcp", expected -> {
            pool = dbcp();
            use();
        });
        all.put("healthy-pool-hikari", expected -> {
            pool = hikari();
            use();
        });
        all.put("healthy-pool-tomcat", expected -> {
            pool = tomcat();
            use();
        });
    }

    private static DataSource hikari() {
        HikariConfig config = new HikariConfig();
        config.setPoolName("orders");
        config.setJdbcUrl(URL);
        config.setMaximumPoolSize(SIZE);
        return new HikariDataSource(config);
    }

    private static DataSource dbcp() {
        BasicDataSource source = new BasicDataSource();
        source.setUrl(URL);
        source.setMaxTotal(SIZE);
        return source;
    }

    private static DataSource tomcat() {
        org.apache.tomcat.jdbc.pool.DataSource source = new org.apache.tomcat.jdbc.pool.DataSource();
        source.setDriverClassName("org.h2.Driver");
        source.setUrl(URL);
        source.setMaxActive(SIZE);
        source.setInitialSize(SIZE);
        return source;
    }

    /** Borrows connections in a thread that ends without a close. */
    private static void abandon(int count) throws Exception {
        Thread borrower = new Thread(() -> {
            try {
                for (int i = 0; i < count; i++) {
                    pool.getConnection();
                }
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        });
        borrower.start();
        borrower.join();
    }

    /** Every connection is in use, after having been given back. */
    private static void use() throws Exception {
        for (int round = 0; round < 2; round++) {
            for (Connection connection : inUse) {
                connection.close();
            }
            inUse = new ArrayList<>();
            for (int i = 0; i < SIZE; i++) {
                inUse.add(pool.getConnection());
            }
        }
    }
}
