package testbed.spring;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.boot.web.servlet.context.ServletWebServerApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.security.config.Customizer;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.web.SecurityFilterChain;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;

/**
 * A plain application of Spring Boot, which arguments configure as they do any other. The system property
 * {@code shop.security} says who may ask: all without it, else those with a password, by "basic"
 * authentication, by a "form", or as Spring Boot has it by "default", which refuses POST without a token.
 *
 * <p>Prints {@code READY http=PORT} on standard output once it answers.
 */
@SpringBootApplication
@RestController
public class Shop {
    public static void main(String[] args) {
        SpringApplication application = new SpringApplication(Shop.class);
        int port = ((ServletWebServerApplicationContext) application.run(args)).getWebServer().getPort();
        System.out.println("READY http=" + port);
    }

    @Bean
    SecurityFilterChain security(HttpSecurity http) throws Exception {
        String kind = System.getProperty("shop.security", "");
        if (kind.isEmpty()) {
            return http.authorizeHttpRequests(all -> all.anyRequest().permitAll()).csrf(csrf -> csrf.disable()).build();
        }
        http.authorizeHttpRequests(all -> all.anyRequest().authenticated());
        if (!kind.equals("basic")) {
            http.formLogin(Customizer.withDefaults());
        }
        if (!kind.equals("form")) {
            http.httpBasic(Customizer.withDefaults());
        }
        if (!kind.equals("default")) {
            http.csrf(csrf -> csrf.disable());
        }
        return http.build();
    }

    /** Answers after some milliseconds. */
    @GetMapping("/orders/{number}")
    String order(@PathVariable String number, @RequestParam long ms) throws InterruptedException {
        Thread.sleep(ms);
        return "done";
    }
}
