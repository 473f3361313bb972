package main

import (
	"fmt"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/apm-sidecar/apm-sidecar/internal/attach"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// newAttachCommand builds "apm-sidecar attach".
func newAttachCommand(env environment) *cobra.Command {
	var agent, options string
	cmd := &cobra.Command{
		Use:   "attach [PID] --agent JAR",
		Short: "Load the Jolokia agent into a running JVM of this host",
		Long: `attach loads Jolokia's JVM agent (jolokia-agent-jvm-VERSION-javaagent.jar) into a JVM
that runs already, and says where the agent listens. It needs the JVM's user or root.
Without a PID it lists the JVMs of this host. The path of the agent is one that the JVM
sees; of a JVM in a container it is a path in the container.`,
		Example: "  apm-sidecar attach\n  apm-sidecar attach 4711 --agent /opt/jolokia-agent-jvm-2.6.0-javaagent.jar --options port=8778,host=127.0.0.1,executor=fixed",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("want one process id, not %d", len(args))
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&agent, "agent", "", "`jar` of the agent, as the JVM sees it")
	cmd.Flags().StringVar(&options, "options", "port=8778,host=127.0.0.1,executor=fixed", "options of the agent")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			jvms, err := new(attach.Finder).Find(cmd.Context())
			if err != nil {
				return err
			}
			return listJVMs(env, jvms)
		}
		pid, err := strconv.Atoi(args[0])
		if err != nil || pid < 1 {
			return usagef("%q is no process id", args[0])
		}
		if agent == "" {
			return usagef("which agent? Give --agent /path/jolokia-agent-jvm-VERSION-javaagent.jar")
		}
		if !filepath.IsAbs(agent) {
			if agent, err = filepath.Abs(agent); err != nil {
				return err
			}
		}
		if err := attach.Load(cmd.Context(), pid, agent, options); err != nil {
			return err
		}
		url, err := attach.AwaitJolokia(cmd.Context(), pid)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(env.stdout, "the agent is loaded into %d: %s\n", pid, url)
		return err
	}
	return cmd
}

// listJVMs prints the JVMs of this host.
func listJVMs(env environment, jvms []attach.JVM) error {
	if len(jvms) == 0 {
		_, err := fmt.Fprintln(env.stderr, "No JVM of this user runs on this host; as root, those of all users are listed.")
		return err
	}
	without := false
	for _, j := range jvms {
		url := j.JolokiaURL
		switch {
		case url == "" && j.Silent:
			url = "does not answer"
		case url == "":
			url, without = "no JVM agent", true
		}
		if _, err := fmt.Fprintf(env.stdout, "%d\t%s\t%s\n", j.PID, unit.Printable(j.Main), unit.Printable(url)); err != nil {
			return err
		}
	}
	if !without {
		return nil
	}
	_, err := fmt.Fprintln(env.stderr, "An agent that is a web application or an actuator is not seen here: apm-sidecar doctor --target URL tells of it.")
	return err
}
