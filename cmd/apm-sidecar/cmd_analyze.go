package main

import (
	"github.com/spf13/cobra"

	"github.com/apm-sidecar/apm-sidecar/internal/agent"
)

// analyzeCommand is the word by which run calls this program again.
const analyzeCommand = "analyze"

// newAnalyzeCommand builds the hidden command that analyses a dump in a process
// of its own. People use heapscan.
func newAnalyzeCommand(env environment) *cobra.Command {
	var report string
	var maxMemoryBytes int64
	cmd := &cobra.Command{
		Use:    analyzeCommand + " DUMP --report FILE",
		Short:  "Analyse a heap dump (for run; people use heapscan)",
		Hidden: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("want one heap dump, not %d", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if report == "" {
				return usagef("where to? Give --report FILE")
			}
			return agent.Analyze(cmd.Context(), args[0], report, version(), maxMemoryBytes, env.stdout)
		},
	}
	cmd.Flags().StringVar(&report, "report", "", "`file` for the report (JSON)")
	cmd.Flags().Int64Var(&maxMemoryBytes, "max-memory", 0, "take no more than so many `bytes` of memory, 0 for what is free")
	return cmd
}
