package testbed.suspects.app;

import javax.servlet.ServletContextEvent;
import javax.servlet.ServletContextListener;

/** Starts the application's thread with the application. */
public final class StartListener implements ServletContextListener {
    @Override
    public void contextInitialized(ServletContextEvent event) {
        Worker worker = new Worker();
        worker.start();
        try {
            worker.awaitStarted();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
