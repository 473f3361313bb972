package testbed.slow;

/** A wait for somebody at the other end of a connection. */
final class Wait {
    private final String peer;
    private final String sql;
    private final double ms;
    private final boolean parked;

    /**
     * peer is address:port; sql is the statement, empty where it is for none. parked says that
     * another thread has the connection.
     */
    Wait(String peer, String sql, double ms, boolean parked) {
        this.peer = peer;
        this.sql = sql;
        this.ms = ms;
        this.parked = parked;
    }

    String json() {
        return "{\"peer\":\"" + peer + "\",\"sql\":\"" + sql + "\",\"ms\":" + ms + ",\"parked\":" + parked + "}";
    }
}
