package testbed.servers;

import jakarta.servlet.ServletException;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.boot.web.servlet.context.ServletWebServerApplicationContext;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;

/** The same request in Spring Boot, with Tomcat's MBeans and Jolokia as an endpoint of the actuator. */
@SpringBootApplication
@RestController
public class SpringOrders {
    static int start(boolean virtual) {
        SpringApplication application = new SpringApplication(SpringOrders.class);
        return ((ServletWebServerApplicationContext) application.run(
            "--server.port=0", "--server.address=127.0.0.1", "--server.tomcat.mbeanregistry.enabled=true", "--spring.threads.virtual.enabled=" + virtual,
            "--spring.jmx.enabled=true", "--management.endpoints.web.exposure.include=jolokia")).getWebServer().getPort();
    }

    @GetMapping("/orders/{number}")
    String order(@PathVariable String number, @RequestParam long ms) throws ServletException {
        Orders.find(ms);
        return "done";
    }
}
