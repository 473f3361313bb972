package jmx

import (
	"context"
	"strings"
)

// tried are the operations but heap dumps, by arguments that have nothing happen: names that
// nothing has, and a number that no thread has (no number at all makes some JVMs fail,
// JDK-8074368). They must be in order, for who guards the MBeans behind the agent, as ActiveMQ
// Artemis does, gets nothing else to see.
func tried() []request {
	none, noThread := []string{"none"}, []int64{1 << 53}
	return []request{
		run(opFinalizerInfo()), run(opClassHistogram(), none), run(opFlightView(), none), run(opVMOption(), "none"),
		run(opThreadInfo(), noThread, 0), run(opThreadCPU(), noThread), run(opThreadAllocated(), noThread),
		run(opFindDeadlocks()), run(opFindMonitorDeadlocks()),
	}
}

// Denied tells what the agent's policy, or one of the server's, denies of what the sidecar asks
// for, as "MBean", "MBean/attribute" or "MBean/operation", but for heap dumps. Of MBeans that the
// JVM does not have nothing is known.
func (c *Client) Denied(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	var denied []string
	for _, r := range pollReads() {
		if r.Type != "read" {
			continue // operations come below
		}
		// One at a time, as some agents refuse a bulk for one item.
		replies, err := c.post(ctx, []request{r})
		whole, fault := refused(replies, err)
		switch {
		case fault != nil:
			return nil, fault
		case whole:
			denied = append(denied, r.MBean)
		case err == nil:
			denied = append(denied, deniedAttributes(r, replies[0].value)...)
		}
	}
	for _, r := range tried() {
		whole, err := refused(c.post(ctx, []request{r}))
		if err != nil {
			return nil, err
		}
		if whole {
			denied = append(denied, r.part())
		}
	}
	return sorted(denied), nil
}

// deniedAttributes are those of an answer that have the policy's refusal in their place, of
// one MBean or of any that a pattern matches; the MBean stands for several of them.
func deniedAttributes(r request, v value) []string {
	var denied []string
	of := func(bean value) {
		for _, name := range r.Attribute {
			a := bean.get(name)
			// An object in 2.x, "ERROR: ... (class java.lang.SecurityException)" in 1.x.
			if strings.HasSuffix(a.get("error_type").text(), "SecurityException") || strings.HasSuffix(strings.TrimSuffix(a.text(), ")"), "SecurityException") {
				denied = append(denied, r.MBean+"/"+name)
			}
		}
	}
	if strings.Contains(r.MBean, "*") {
		eachBean(v, func(_ []byte, bean value) { of(bean) })
	} else {
		of(v)
	}
	if denied = sorted(denied); len(denied) > 1 {
		return []string{r.MBean}
	}
	return denied
}
