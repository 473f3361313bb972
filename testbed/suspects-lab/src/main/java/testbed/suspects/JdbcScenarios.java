package testbed.suspects;

import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

import com.mchange.v2.c3p0.ComboPooledDataSource;
import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;

/** Real drivers and a real server: the environment variable LAB_JDBC_URL says where it is. */
final class JdbcScenarios {
    private static final String URL = System.getenv("LAB_JDBC_URL");
    private static final String MYSQL = "com.mysql.cj.jdbc.";
    private static final int MANY = 120;
    private static final int SOME = 30;
    private static final int REPLACED = 400;
    private static final int STATEMENTS = 3000;
    private static final int CACHES = 10;
    private static final int CACHED = 1500;
    private static final List<Connection> OPEN = new ArrayList<>();
    private static final List<AutoCloseable> POOLS = new ArrayList<>();
    private static final List<PreparedStatement> UNFINISHED = new ArrayList<>();

    private JdbcScenarios() {
    }

    static void addTo(Map<String, Scenario> all) {
        all.put("mysql-connections", expected -> {
            open(MANY);
            expected.finding("open-connections", MYSQL + "ConnectionImpl", MANY, "warning");
        });
        all.put("mariadb-connections", expected -> {
            open(MANY);
            expected.finding("open-connections", "org.mariadb.jdbc.Connection", MANY, "warning");
        });
        all.put("postgresql-connections", expected -> {
            open(SOME);
            expected.finding("open-connections", "org.postgresql.jdbc.PgConnection", SOME, "info");
        });
        all.put("mysql-statements", expected -> {
            open(1);
            leaveOpen(OPEN.get(0), STATEMENTS);
            expected.finding("open-statements", MYSQL + "ClientPreparedStatement", STATEMENTS, "critical");
        });
        all.put("mariadb-statements", expected -> {
            open(1);
            keepOpen(OPEN.get(0), STATEMENTS);
            expected.finding("open-statements", "org.mariadb.jdbc.ClientPreparedStatement", STATEMENTS, "critical");
        });
        all.put("postgresql-statements", expected -> {
            open(1);
            keepOpen(OPEN.get(0), STATEMENTS);
            expected.finding("open-statements", "org.postgresql.jdbc.PgPreparedStatement", STATEMENTS, "critical");
        });
        all.put("mysql-replaced", expected -> {
            open(REPLACED);
            System.gc(); // they grow old
            for (Connection connection : OPEN) {
                connection.close();
            }
            OPEN.clear();
            expected.asItIs();
            expected.finding("closed-connections", MYSQL + "AbandonedConnectionCleanupThread$ConnectionFinalizerPhantomReference", REPLACED, "warning");
        });
        all.put("mysql-cache", expected -> {
            fillCaches("&cachePrepStmts=true&prepStmtCacheSize=5000&prepStmtCacheSqlLimit=10000");
            expected.finding("statement-cache", "com.mysql.cj.util.LRUCache", CACHES, "warning");
        });
        all.put("postgresql-cache", expected -> {
            fillCaches("&preparedStatementCacheQueries=5000&preparedStatementCacheSizeMiB=50");
            expected.finding("statement-cache", "org.postgresql.util.LruCache", CACHES, "warning");
        });
        all.put("mysql-c3p0", expected -> {
            ComboPooledDataSource pool = new ComboPooledDataSource();
            pool.setJdbcUrl(URL);
            pool.setMaxPoolSize(CACHES);
            POOLS.add(pool);
            int lost = CACHES - 1;
            Thread borrower = new Thread(() -> {
                try {
                    for (int i = 0; i < lost; i++) {
                        query(pool.getConnection());
                    }
                } catch (SQLException e) {
                    throw new IllegalStateException(e);
                }
            });
            borrower.start();
            borrower.join();
            OPEN.add(pool.getConnection());
            expected.finding("abandoned-connections", MYSQL + "ConnectionImpl", lost, "critical");
        });
        all.put("healthy-mysql", JdbcScenarios::use);
        all.put("healthy-mariadb", JdbcScenarios::use);
        all.put("healthy-postgresql", JdbcScenarios::use);
    }

    private static void open(int count) throws SQLException {
        for (int i = 0; i < count; i++) {
            Connection connection = DriverManager.getConnection(URL);
            query(connection);
            OPEN.add(connection);
        }
    }

    private static void query(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.executeQuery("select 1").next();
        }
    }

    private static void leaveOpen(Connection connection, int count) throws SQLException {
        for (int i = 0; i < count; i++) {
            PreparedStatement statement = connection.prepareStatement("select ?");
            statement.setInt(1, i);
            statement.executeQuery().next();
        }
    }

    /** The drivers that keep no list of statements need somebody who does. */
    private static void keepOpen(Connection connection, int count) throws SQLException {
        for (int i = 0; i < count; i++) {
            PreparedStatement statement = connection.prepareStatement("select ?");
            statement.setInt(1, i);
            statement.executeQuery().next();
            UNFINISHED.add(statement);
        }
    }

    /** SQL with values in its text: each is a statement of its own. */
    private static void fillCaches(String options) throws SQLException {
        String padding = "x".repeat(1500);
        for (int c = 0; c < CACHES; c++) {
            Connection connection = DriverManager.getConnection(URL + options);
            OPEN.add(connection);
            for (int i = 0; i < CACHED; i++) {
                connection.prepareStatement("select ? /* order " + i + " " + padding + " */").close();
            }
        }
    }

    /** A pool in use, a few connections beside it, and statements that are open for now. */
    private static void use(Expected expected) throws SQLException {
        HikariConfig config = new HikariConfig();
        config.setJdbcUrl(URL);
        config.setMaximumPoolSize(SOME / 2);
        HikariDataSource pool = new HikariDataSource(config);
        POOLS.add(pool);
        for (int i = 0; i < SOME / 2; i++) {
            Connection connection = pool.getConnection();
            OPEN.add(connection);
            leaveOpen(connection, CACHES);
        }
        open(SOME / CACHES);
        for (int i = 0; i < SOME; i++) {
            Connection connection = DriverManager.getConnection(URL);
            OPEN.add(connection);
            connection.close();
        }
    }
}
