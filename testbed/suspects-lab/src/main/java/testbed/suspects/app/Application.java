package testbed.suspects.app;

/** An application with some data of its own in static fields. */
public final class Application {
    private static final byte[][] CATALOGUE = new byte[100][20_000];

    public int size() {
        return CATALOGUE.length;
    }
}
