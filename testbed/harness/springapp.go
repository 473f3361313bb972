package harness

import (
	"context"
	"path/filepath"
	"strings"
)

// SpringApp is a running application of Spring Boot, whose actuator may have Jolokia.
type SpringApp struct {
	*Process
	// Address is host and port. Its only user is User with Password.
	Address, User, Password string
}

// StartSpringApp starts it with "boot2", which is Spring Boot 2.7 with Jolokia 1.7.2, or
// "boot3", 3.5 with Jolokia 2.6.0; JVMs from 17 on run both. security is who may ask: ""
// all, else the user, by "basic", "form" or "default" (both, and POST with a token alone).
// The arguments are Spring Boot's.
func (b *Bench) StartSpringApp(ctx context.Context, java, boot, security string, args ...string) (*SpringApp, error) {
	ctx, cancel := withStartTimeout(ctx)
	defer cancel()
	jar, err := built("spring-webapp", boot, "target", "spring-"+boot+".jar")
	if err != nil {
		return nil, err
	}
	app := &SpringApp{User: "ops", Password: "hush"}
	app.Process, err = b.Start(ctx, Command{
		Name: "spring-" + boot,
		Path: java,
		Args: append([]string{
			"-Xmx256m", "-Dshop.security=" + security,
			"-cp", strings.Join([]string{jar, filepath.Join(filepath.Dir(jar), "lib", "*")}, ":"), "testbed.spring.Shop",
			"--server.port=0", "--server.address=127.0.0.1", "--spring.security.user.name=" + app.User, "--spring.security.user.password=" + app.Password,
		}, args...),
	})
	if err != nil {
		return nil, err
	}
	url, err := app.awaitReady(ctx)
	if err != nil {
		return nil, err
	}
	app.Address = strings.TrimPrefix(url, "http://")
	return app, nil
}

// URL is that of a path, with the user's name and password in it.
func (a *SpringApp) URL(path string) string {
	return "http://" + a.User + ":" + a.Password + "@" + a.Address + path
}
