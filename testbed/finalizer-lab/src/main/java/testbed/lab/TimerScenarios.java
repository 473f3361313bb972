package testbed.lab;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Timer;
import java.util.TimerTask;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/** Tasks that wait for their time, and what they hold. */
final class TimerScenarios {
    private static final int TIMEOUT_SECONDS = 3000;
    private static final String TIMER_THREAD = "lab-timer";
    private static final String EXECUTOR_THREAD = "lab-scheduler";
    private static final Timer TIMER = new Timer(TIMER_THREAD, true);
    private static ScheduledThreadPoolExecutor executor;

    private TimerScenarios() {
    }

    static void addTo(Map<String, Scenario> all) {
        all.put("timer-cancelled", TimerScenarios::cancelled);
        all.put("timer-scheduled", (count, census) -> timer(count, 0, census));
        all.put("timer-mixed", (count, census) -> timer(count, count / 4, census));
        all.put("executor-cancelled", (count, census) -> executor(count, count, census));
        all.put("executor-mixed", (count, census) -> executor(count, count / 4, census));
    }

    /** All statements closed, all tasks cancelled. */
    static void cancelled(int count, Census census) throws Exception {
        timer(count, count, census);
        census.finding("timer-held", PreparedStatement.class);
    }

    /** A driver's statement: finalizable, by its super class. */
    abstract static class Statement {
        private TimerTask cancelTask;
        private boolean closed;

        void setQueryTimeout(int seconds) {
            cancelTask = new TimerTask() {
                @Override
                public void run() {
                    close();
                }
            };
            TIMER.schedule(cancelTask, TimeUnit.SECONDS.toMillis(seconds));
        }

        /** As the old driver does it: cancels the task, and does not purge it. */
        void close() {
            if (!closed) {
                closed = true;
                cancelTask.cancel();
            }
        }

        @Override
        protected void finalize() {
            close();
        }
    }

    static final class PreparedStatement extends Statement {
        final int[] parameters = new int[8];
    }

    /** {@code count} statements that only the timer refers to; the first {@code cancelled} of them are closed. */
    private static void timer(int count, int cancelled, Census census) throws Exception {
        List<Statement> statements = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            Statement statement = new PreparedStatement();
            statement.setQueryTimeout(TIMEOUT_SECONDS);
            statements.add(statement);
        }
        // While the thread is awake it would drop cancelled tasks from the head.
        awaitAsleep(TIMER_THREAD);
        for (Statement statement : statements.subList(0, cancelled)) {
            statement.close();
        }
        census.scheduler("java.util.Timer", TIMER_THREAD, count, cancelled);
        census.finalizers(PreparedStatement.class, "registered_held", count);
    }

    /** {@code count} tasks; the first {@code cancelled} of them cancelled, by turns with and without interruption. */
    private static void executor(int count, int cancelled, Census census) throws Exception {
        executor = new ScheduledThreadPoolExecutor(1, work -> {
            Thread thread = new Thread(work, EXECUTOR_THREAD);
            thread.setDaemon(true);
            return thread;
        });
        List<Future<?>> tasks = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            tasks.add(executor.schedule(() -> { }, TIMEOUT_SECONDS, TimeUnit.SECONDS));
        }
        awaitAsleep(EXECUTOR_THREAD);
        for (int i = 0; i < cancelled; i++) {
            tasks.get(i).cancel(i % 2 == 0);
        }
        census.scheduler(ScheduledThreadPoolExecutor.class.getSimpleName(), EXECUTOR_THREAD, count, cancelled);
    }

    private static void awaitAsleep(String threadName) throws Exception {
        Thread thread = Vm.thread(threadName);
        Vm.await(threadName + " asleep", () -> thread.getState() == Thread.State.TIMED_WAITING);
    }
}
