package harness

import (
	"context"
	"path/filepath"
	"strconv"
	"strings"
)

// OtherServer is a running server that answers GET /orders/N?ms=M after M milliseconds.
type OtherServer struct {
	*Process
	// JolokiaURL is the agent's, ending in a slash.
	JolokiaURL string
	// URL is the server's, without a slash at the end.
	URL string
}

// StartOtherServer starts "jetty", "undertow", "spring" or "tomcat" with the Jolokia agent;
// JVMs from 17 on run it. virtual has requests handled on virtual threads, which JVMs from 21
// on have.
func (b *Bench) StartOtherServer(ctx context.Context, java, server string, virtual bool) (*OtherServer, error) {
	ctx, cancel := withStartTimeout(ctx)
	defer cancel()
	base, err := b.Folder("other-server")
	if err != nil {
		return nil, err
	}
	jar, err := built("other-servers", "target", "other-servers.jar")
	if err != nil {
		return nil, err
	}
	agent, err := JolokiaAgent()
	if err != nil {
		return nil, err
	}
	process, err := b.Start(ctx, Command{
		Name: server,
		Path: java,
		Args: []string{
			"-javaagent:" + agent + "=host=127.0.0.1,port=0", "-Dservers.base=" + base, "-Dservers.virtual=" + strconv.FormatBool(virtual), "-Xmx256m",
			"-cp", strings.Join([]string{jar, filepath.Join(filepath.Dir(jar), "lib", "*")}, ":"), "testbed.servers.OtherServers", server,
		},
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
	return &OtherServer{Process: process, JolokiaURL: jolokia, URL: url}, nil
}
