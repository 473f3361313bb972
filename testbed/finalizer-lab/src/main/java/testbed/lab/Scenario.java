package testbed.lab;

/** One kind of heap. */
interface Scenario {
    /**
     * Builds the heap, returns when it is in its final state, and leaves the
     * counts in {@code census}. What is to stay alive is held by static fields
     * or by threads.
     */
    void build(int count, Census census) throws Exception;
}
