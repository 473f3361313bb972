package harness

import (
	"context"
	"regexp"
	"strconv"
)

// ChurnLoad is what the churn program does with its heap.
type ChurnLoad struct {
	// AllocateMiB is allocated a second, LeakKiB of it kept for good; AliveMiB live
	// for a while.
	AllocateMiB, AliveMiB, LeakKiB int
}

// Churn is the running program.
type Churn struct {
	*Process
	// JolokiaURL is the agent's URL, ending in a slash.
	JolokiaURL string
}

// AllocatedMiB is what the program said last that it has allocated; it says so every 200 ms
// or, on a busy machine, every ten times that it allocates.
func (c *Churn) AllocatedMiB(ctx context.Context) (float64, error) {
	match, err := c.AwaitOutput(ctx, regexp.MustCompile(`(?s)^.*\nALLOCATED MiB=([0-9.]+)\n`))
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(match[1], 64)
}

// StartChurn starts the churn program with the Jolokia agent on a free port of
// 127.0.0.1.
func (b *Bench) StartChurn(ctx context.Context, java string, load ChurnLoad, jvmOptions ...string) (*Churn, error) {
	ctx, cancel := withStartTimeout(ctx)
	defer cancel()
	jar, err := LabJar()
	if err != nil {
		return nil, err
	}
	agent, err := JolokiaAgentJar()
	if err != nil {
		return nil, err
	}
	process, err := b.Start(ctx, Command{
		Name: "churn",
		Path: java,
		Args: append(append([]string{"-javaagent:" + agent + "=host=127.0.0.1,port=0"}, jvmOptions...),
			"-cp", jar, "testbed.lab.Churn", strconv.Itoa(load.AllocateMiB), strconv.Itoa(load.AliveMiB), strconv.Itoa(load.LeakKiB)),
	})
	if err != nil {
		return nil, err
	}
	jolokia, err := process.awaitJolokia(ctx)
	if err != nil {
		return nil, err
	}
	return &Churn{Process: process, JolokiaURL: jolokia}, nil
}
