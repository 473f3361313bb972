package harness

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
)

// minJolokiaJava is the oldest JVM that the Jolokia agent runs on.
const minJolokiaJava = 17

// SmallHeap sizes a heap for the leak: the first collection of the old region
// comes after some 65,000 leaked statements and finds it full, and the large
// young region then buys time for as many again before the OutOfMemoryError.
// Collectors that adapt their sizes leave less time between the two.
func SmallHeap() []string {
	return []string{"-XX:+UseSerialGC", "-Xms112m", "-Xmx112m", "-Xmn72m"}
}

// LeakyWebApp is the running web application.
type LeakyWebApp struct {
	*Process
	// JolokiaURL is the agent's URL, ending in a slash.
	JolokiaURL string
	// OrderURL is the page whose every request leaks a statement.
	OrderURL string
}

// StartLeakyWebApp starts the web application with the Jolokia agent on free
// ports of 127.0.0.1. jvmOptions size the heap and choose the collector.
func (b *Bench) StartLeakyWebApp(ctx context.Context, java string, db *Postgres, jvmOptions ...string) (*LeakyWebApp, error) {
	ctx, cancel := withStartTimeout(ctx)
	defer cancel()
	version, err := JavaVersion(ctx, java)
	if err != nil {
		return nil, err
	}
	if version < minJolokiaJava {
		return nil, fmt.Errorf("%w (%s is %d; the Jolokia agent needs %d)", ErrNoJava, java, version, minJolokiaJava)
	}
	jar, err := built("leaky-webapp", "target", "leaky-webapp.jar")
	if err != nil {
		return nil, err
	}
	agent, err := JolokiaAgentJar()
	if err != nil {
		return nil, err
	}
	base, err := b.Folder("tomcat")
	if err != nil {
		return nil, err
	}
	process, err := b.Start(ctx, Command{
		Name: "leaky-webapp",
		Path: java,
		Args: append(append([]string{
			"-javaagent:" + agent + "=host=127.0.0.1,port=0",
			"-Dleaky.jdbc.url=" + db.JDBCURL(),
			"-Dleaky.base=" + base,
		}, jvmOptions...), "-jar", jar),
	})
	if err != nil {
		return nil, err
	}
	jolokia, err := process.awaitJolokia(ctx)
	if err != nil {
		return nil, err
	}
	url, err := process.awaitReady(ctx)
	if err != nil {
		return nil, err
	}
	return &LeakyWebApp{
		Process:    process,
		JolokiaURL: jolokia,
		OrderURL:   url + "/order",
	}, nil
}

// StartLoad asks url for orders at a rate per second from several clients, in
// a process of its own.
func (b *Bench) StartLoad(ctx context.Context, java, url string, requestsPerSecond, clients int) (*Process, error) {
	ctx, cancel := withStartTimeout(ctx)
	defer cancel()
	jar, err := built("leaky-webapp", "target", "leaky-webapp.jar")
	if err != nil {
		return nil, err
	}
	load, err := b.Start(ctx, Command{
		Name: "load",
		Path: java,
		Args: []string{
			"-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
			"-cp", jar, "testbed.leaky.LoadGenerator",
			url, strconv.Itoa(requestsPerSecond), strconv.Itoa(clients),
		},
	})
	if err != nil {
		return nil, err
	}
	if _, err := load.AwaitOutput(ctx, regexp.MustCompile(`(?m)^READY `)); err != nil {
		return nil, err
	}
	return load, nil
}

// JolokiaAgent is the jar of Jolokia's JVM agent.
func JolokiaAgent() (string, error) {
	return built("leaky-webapp", "target", "agent", "jolokia-agent.jar")
}

// OpenTelemetryAgent is the jar of OpenTelemetry's Java agent.
func OpenTelemetryAgent() (string, error) {
	return built("slow-webapp", "target", "opentelemetry", "opentelemetry-javaagent.jar")
}
