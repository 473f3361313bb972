package main

import (
	"github.com/spf13/cobra"

	"github.com/apm-sidecar/apm-sidecar/internal/jmx"
)

// newPolicyCommand builds "apm-sidecar policy".
func newPolicyCommand(env environment) *cobra.Command {
	dumps := true
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Print the least policy that a Jolokia agent must grant",
		Long: `policy prints a jolokia-access.xml with exactly what the sidecar asks for: the
attributes it reads and the operations it runs, each by name. Give it to the JVM agent
by its option policyLocation=file:///path/jolokia-access.xml, or put it into the class
path of a web application.`,
		Example: "  apm-sidecar policy > jolokia-access.xml\n  apm-sidecar policy --heap-dumps=false > jolokia-access.xml",
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			_, err := env.stdout.Write(jmx.Policy(dumps))
			return err
		},
	}
	cmd.Flags().BoolVar(&dumps, "heap-dumps", true, "allow the writing of heap dumps")
	return cmd
}
