package tx

import (
	"cmp"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// classifier knows the rules. It is read-only once made.
type classifier struct {
	rules     []rule
	libraries []string
	byFrame   map[string]verdict
}

// verdict is what is known of a call by its name alone.
type verdict struct {
	class Class // "" without a rule
	app   bool
}

// pages is how the names of JSPs begin, which are the application's.
const pages = "org.apache.jsp."

// maxVerdicts bounds the calls that are remembered.
const maxVerdicts = 20_000

func newClassifier() *classifier {
	return &classifier{rules: rules(), libraries: libraries(), byFrame: map[string]verdict{}}
}

// frame is the verdict on one call.
func (c *classifier) frame(f jvm.Frame) verdict {
	name := f.Class + "." + f.Method
	if v, ok := c.byFrame[name]; ok {
		return v
	}
	var v verdict
	for _, r := range c.rules {
		if strings.HasPrefix(name, r.prefix) {
			v.class = r.class
			break
		}
	}
	v.app = v.class == ""
	for _, prefix := range c.libraries {
		v.app = v.app && !strings.HasPrefix(name, prefix)
	}
	v.app = v.app || strings.HasPrefix(name, pages)
	if len(c.byFrame) >= maxVerdicts {
		clear(c.byFrame)
	}
	c.byFrame[name] = v
	return v
}

// classify says what a thread with this stack does. app is the index of the
// innermost call of the application, -1 without one.
func (c *classifier) classify(t *jvm.Thread) (class Class, app int) {
	app = -1
	first, meaning, soft, handling := Class(""), Class(""), Class(""), false
	for i, f := range t.Stack {
		v := c.frame(f)
		if strings.HasPrefix(f.Class, "org.apache.catalina.") && app >= 0 {
			break
		}
		// What handles a request says nothing of what the request waits for.
		handling = handling || strings.HasPrefix(f.Class, "org.apache.catalina.core.")
		if v.app && app < 0 {
			app = i
		}
		// A log may have an appender of the application's own.
		if v.class == ClassPool && app < 0 || v.class == ClassLogging {
			soft = v.class
		}
		switch {
		case handling:
		case app < 0:
			first = cmp.Or(first, v.class)
			// A socket or a file of a driver, or of a log, is a wait for these.
			if meaning == "" || meaning == ClassNetwork || meaning == ClassFile {
				meaning = cmp.Or(v.class, meaning)
			}
		case meaning == ClassNetwork && speaks(v.class):
			// What looks like the application's may be a library that nobody listed: who
			// waits for a socket has more to say.
			meaning = v.class
		}
	}
	switch {
	case len(t.Stack) == 0:
		return ClassUnknown, -1
	case t.State == jvm.Blocked, first == ClassLock && t.State != jvm.Runnable:
		// The lock of a pool or of a log's appender is a wait for these.
		return cmp.Or(soft, ClassLock), app
	case t.State == jvm.Runnable && !waitsInNative(t.Stack[0]):
		return ClassCPU, app
	case meaning == "" || meaning == ClassLock:
		if soft == ClassLogging {
			return soft, app
		}
		return ClassWait, app
	}
	return meaning, app
}

// speaks tells the classes of those who wait at sockets.
func speaks(c Class) bool {
	return c == ClassSQL || c == ClassHTTP || c == ClassMessaging || c == ClassStore
}

// waitsInNative tells a native call that waits from one that computes. The JVM
// calls both RUNNABLE.
func waitsInNative(f jvm.Frame) bool {
	if !f.Native {
		return false
	}
	for _, prefix := range []string{
		"sun.nio.ch.", "java.net.", "sun.nio.fs.", "java.io.File", "java.io.RandomAccessFile", "java.io.UnixFileSystem",
		"java.io.WinNTFileSystem", "jdk.internal.net.", "oracle.jdbc.", "org.apache.tomcat.jni.", "io.netty.channel.",
		"java.lang.ProcessImpl", "java.nio.MappedByteBuffer", "java.lang.ref.", "jdk.internal.misc.Unsafe.park", "sun.misc.Unsafe.park",
		"org.sqlite.",
	} {
		if strings.HasPrefix(f.Class+"."+f.Method, prefix) {
			return true
		}
	}
	return false
}

// idle tells a worker thread that waits for its next request.
func idle(stack []jvm.Frame) bool {
	const near = 16 // a worker at rest has a short stack
	if len(stack) > near {
		return false
	}
	for i, f := range stack {
		switch f.Class + "." + f.Method {
		case "java.util.concurrent.ThreadPoolExecutor.getTask",
			"org.apache.tomcat.util.threads.ThreadPoolExecutor.getTask",
			"org.eclipse.jetty.util.thread.QueuedThreadPool.idleJobPoll",
			"org.eclipse.jetty.util.BlockingArrayQueue.poll",
			"weblogic.work.ExecuteThread.waitForRequest",
			"jeus.util.concurrent50.concurrent.ThreadPoolExecutor.getTask":
			return true
		case "org.jboss.threads.EnhancedQueueExecutor$ThreadBody.run":
			return i <= 3 // parked; tasks run below this call, too
		}
	}
	return false
}
