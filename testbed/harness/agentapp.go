package harness

import (
	"context"
	"path/filepath"
	"strings"
)

// AgentWebApp is a running Tomcat that has Jolokia as a web application.
type AgentWebApp struct {
	*Process
	// URL is the agent's, ending in a slash, for User alone.
	URL, User, Password string
}

// StartAgentWar starts a Tomcat 9 with the WAR of Jolokia 1.7.2, which JVMs from 11 on
// run.
func (b *Bench) StartAgentWar(ctx context.Context, java string) (*AgentWebApp, error) {
	war, err := built("agent-webapp", "target", "war", "jolokia.war")
	if err != nil {
		return nil, err
	}
	return b.startAgentWebApp(ctx, java, "tomcat9", "/jolokia/", "-Dagent.war="+war, "")
}

// StartAgentServlet starts a Tomcat 10.1 with the servlet of Jolokia 2.6.0 where Spring
// Boot's actuator has it; JVMs from 17 on run it.
func (b *Bench) StartAgentServlet(ctx context.Context, java string) (*AgentWebApp, error) {
	lib, err := built("agent-webapp", "target", "lib")
	if err != nil {
		return nil, err
	}
	return b.startAgentWebApp(ctx, java, "tomcat10", "/actuator/jolokia/",
		"-Dagent.servlet=org.jolokia.server.core.http.AgentServlet", filepath.Join(lib, "*"))
}

// startAgentWebApp starts it on one of Tomcats. The option says which agent, lib is
// what else it needs on the class path.
func (b *Bench) startAgentWebApp(ctx context.Context, java, tomcat, path, option, lib string) (*AgentWebApp, error) {
	ctx, cancel := withStartTimeout(ctx)
	defer cancel()
	base, err := b.Folder("agent-webapp")
	if err != nil {
		return nil, err
	}
	jar, err := built("agent-webapp", "target", "agent-webapp.jar")
	if err != nil {
		return nil, err
	}
	server, err := built("slow-webapp", "target", tomcat)
	if err != nil {
		return nil, err
	}
	app := &AgentWebApp{User: "jolokia", Password: "s3cret of the agent"}
	app.Process, err = b.Start(ctx, Command{
		Name: "agent-webapp",
		Path: java,
		Args: []string{
			"-Dagent.base=" + base, "-Dagent.password=" + app.Password, option, "-Xmx128m",
			"-cp", strings.Join([]string{jar, filepath.Join(server, "*"), lib}, ":"), "testbed.agent.AgentWebApp",
		},
	})
	if err != nil {
		return nil, err
	}
	url, err := app.awaitReady(ctx)
	if err != nil {
		return nil, err
	}
	app.URL = url + path
	return app, nil
}
