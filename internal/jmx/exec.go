package jmx

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
)

// operation is an entry of the list of what this program can execute in a JVM.
// The type is private and has no constructor: the list is complete.
type operation struct{ mbean, signature string }

const (
	diagnosticCommand = "com.sun.management:type=DiagnosticCommand"
	hotSpotDiagnostic = "com.sun.management:type=HotSpotDiagnostic"
)

func opFinalizerInfo() operation { return operation{diagnosticCommand, "gcFinalizerInfo"} }

// opClassHistogram must be given "-all": without it the JVM collects first.
func opClassHistogram() operation { return operation{diagnosticCommand, "gcClassHistogram"} }

// opFlightView shows what a flight recording that runs already has collected.
func opFlightView() operation { return operation{diagnosticCommand, "jfrView"} }

// The operations on threads. None of them asks for locked monitors or
// synchronizers: for the latter the JVM walks its whole heap, at a stand.
func opThreadInfo() operation      { return operation{threading, "getThreadInfo([J,int)"} }
func opThreadCPU() operation       { return operation{threading, "getThreadCpuTime([J)"} }
func opThreadAllocated() operation { return operation{threading, "getThreadAllocatedBytes([J)"} }

func opFindDeadlocks() operation { return operation{threading, "findDeadlockedThreads()"} }

func opFindMonitorDeadlocks() operation {
	return operation{threading, "findMonitorDeadlockedThreads()"}
}

func opVMOption() operation { return operation{hotSpotDiagnostic, "getVMOption(java.lang.String)"} }

func opDumpHeap() operation {
	return operation{hotSpotDiagnostic, "dumpHeap(java.lang.String,boolean)"}
}

// operations are all of them.
func operations() []operation {
	return []operation{
		opFinalizerInfo(), opClassHistogram(), opFlightView(), opThreadInfo(), opThreadCPU(),
		opThreadAllocated(), opFindDeadlocks(), opFindMonitorDeadlocks(), opVMOption(), opDumpHeap(),
	}
}

// run is the item of a bulk that runs an operation.
func run(op operation, arguments ...any) request {
	return request{Type: "exec", MBean: op.mbean, Operation: op.signature, Arguments: arguments, Config: execConfig()}
}

// exec runs one operation and returns its string result, empty for a void one.
// Errors are *Error; a JVM without the operation gives one that is ErrUnsupported.
func (c *Client) exec(ctx context.Context, call request) (string, timing, error) {
	replies, timing, err := c.timed(ctx, []request{call})
	if err != nil {
		return "", timing, execRejection(err)
	}
	if err := execError(call, replies[0]); err != nil {
		return "", timing, err
	}
	return replies[0].value.text(), timing, nil
}

// execAll runs operations by one bulk, one reply each.
func (c *Client) execAll(ctx context.Context, calls ...request) ([]reply, error) {
	replies, err := c.post(ctx, calls)
	return replies, execRejection(err)
}

// execRejection is rejection for operations: what refuses them does not have them.
func execRejection(err error) error {
	if errors.Is(err, errRejected) {
		return &Error{ReasonBulkRejected, fmt.Errorf("%w: %w", ErrUnsupported, err)}
	}
	return err
}

// execError is the error in the reply to one operation, nil without one.
func execError(call request, r reply) error {
	switch {
	case r.err == "":
		return nil
	case r.status == 403:
		return &Error{ReasonDenied, fmt.Errorf("the agent's policy (jolokia-access.xml), or one of the server's own, does not allow operation %s of %s: %s", call.Operation, call.MBean, r.err)}
	case r.status == 404, r.status == 400, strings.HasSuffix(r.errType, "NoSuchMethodException"):
		return &Error{ReasonOperation, fmt.Errorf("%w: %s: %s", ErrUnsupported, call.Operation, r.err)}
	}
	return &Error{ReasonOperation, fmt.Errorf("%s: %s", call.Operation, r.err)}
}

// DumpHeap has the JVM write a heap dump to file, an absolute path on the JVM's
// own file system that ends in .hprof and does not exist yet. The JVM stands
// still while it writes; live adds a full collection before. The call returns
// when the dump is complete.
func (c *Client) DumpHeap(ctx context.Context, file string, live bool) error {
	if !path.IsAbs(file) || path.Clean(file) != file || !strings.HasSuffix(file, ".hprof") {
		return fmt.Errorf("dump heap: %q is not a clean absolute path that ends in .hprof", file)
	}
	ctx, cancel := context.WithTimeout(ctx, c.opts.DumpTimeout)
	defer cancel()
	if _, _, err := c.exec(ctx, run(opDumpHeap(), file, live)); err != nil {
		return fmt.Errorf("dump heap to %s: %w", file, err)
	}
	return nil
}
