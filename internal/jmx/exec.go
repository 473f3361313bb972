package jmx

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// operation is an entry of the list of what this program can execute in a JVM.
// The type is private and has no constructor: the list is complete.
type operation struct{ mbean, signature string }

func opFinalizerInfo() operation {
	return operation{"com.sun.management:type=DiagnosticCommand", "gcFinalizerInfo"}
}

// The operations on threads. None of them asks for locked monitors or
// synchronizers: for the latter the JVM walks its whole heap, at a stand.
func opThreadInfo() operation      { return operation{threading, "getThreadInfo([J,int)"} }
func opThreadCPU() operation       { return operation{threading, "getThreadCpuTime([J)"} }
func opThreadAllocated() operation { return operation{threading, "getThreadAllocatedBytes([J)"} }

func opDumpHeap() operation {
	return operation{"com.sun.management:type=HotSpotDiagnostic", "dumpHeap(java.lang.String,boolean)"}
}

// run is the item of a bulk that runs an operation.
func run(op operation, arguments ...any) request {
	return request{Type: "exec", MBean: op.mbean, Operation: op.signature, Arguments: arguments, Config: execConfig()}
}

// exec runs one operation and returns its string result, empty for a void one.
// Errors are *Error; a JVM without the operation gives one that is ErrUnsupported.
func (c *Client) exec(ctx context.Context, op operation, arguments ...any) (string, error) {
	replies, err := c.post(ctx, []request{run(op, arguments...)})
	if errors.Is(err, errRejected) {
		return "", &Error{ReasonBulkRejected, fmt.Errorf("%w: %w", ErrUnsupported, err)}
	}
	if err != nil {
		return "", err
	}
	r := replies[0]
	switch {
	case r.err == "":
		return string(r.value.GetStringBytes()), nil
	case r.status == 403:
		return "", &Error{ReasonDenied, fmt.Errorf("the agent's policy (jolokia-access.xml) does not allow operation %s of %s: %s", op.signature, op.mbean, r.err)}
	case r.status == 404, r.status == 400, strings.HasSuffix(r.errType, "NoSuchMethodException"):
		return "", &Error{ReasonOperation, fmt.Errorf("%w: %s: %s", ErrUnsupported, op.signature, r.err)}
	}
	return "", &Error{ReasonOperation, fmt.Errorf("%s: %s", op.signature, r.err)}
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
	if _, err := c.exec(ctx, opDumpHeap(), file, live); err != nil {
		return fmt.Errorf("dump heap to %s: %w", file, err)
	}
	return nil
}

// maxQueueClasses bounds the classes kept of a finalizer queue.
const maxQueueClasses = 1000

// FinalizerQueue asks what waits for the Finalizer thread, by class. It costs the
// JVM neither a safepoint nor a collection. JVMs before JDK 9 and those of other
// vendors give an error that is ErrUnsupported.
func (c *Client) FinalizerQueue(ctx context.Context) (*jvm.FinalizerQueue, error) {
	ctx, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	out, err := c.exec(ctx, opFinalizerInfo())
	if err != nil {
		return nil, fmt.Errorf("finalizer queue: %w", err)
	}
	return parseFinalizerInfo(out), nil
}

// parseFinalizerInfo reads the text of jcmd's GC.finalizer_info (JDK 9 to 25:
// java.lang.ref.Finalizer and diagnosticCommand.cpp, FinalizerInfoDCmd): a
// heading, then one line of count and class each.
func parseFinalizerInfo(out string) *jvm.FinalizerQueue {
	q := &jvm.FinalizerQueue{Disabled: strings.Contains(out, "Finalization is disabled")}
	lines := bufio.NewScanner(strings.NewReader(out))
	for lines.Scan() && len(q.Classes) < maxQueueClasses {
		fields := strings.Fields(lines.Text())
		if len(fields) != 2 || len(fields[1]) > maxTextBytes {
			continue
		}
		n, err := strconv.ParseInt(fields[0], 10, 64)
		if err != nil || n < 1 {
			continue
		}
		q.Classes = append(q.Classes, jvm.ClassCount{Class: fields[1], Count: n})
	}
	slices.SortFunc(q.Classes, func(a, b jvm.ClassCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Class, b.Class))
	})
	return q
}
