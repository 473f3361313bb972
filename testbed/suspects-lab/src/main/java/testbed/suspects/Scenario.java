package testbed.suspects;

/** One kind of heap. */
interface Scenario {
    /** Builds the heap. What is to stay alive is held by static fields or by threads. */
    void build(Expected expected) throws Exception;
}
