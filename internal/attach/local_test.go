package attach

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestURLFromOptions(t *testing.T) {
	t.Parallel()
	for options, want := range map[string]string{
		"":                               "http://127.0.0.1:8778/jolokia/",
		"port=7777,host=0.0.0.0":         "http://127.0.0.1:7777/jolokia/",
		"protocol=https,host=10.0.0.1":   "https://10.0.0.1:8778/jolokia/",
		"agentContext=/j/,user=a,port=1": "http://127.0.0.1:1/j/",
		"port=0":                         "",
	} {
		assert.Equal(t, want, urlFromOptions(options), options)
	}
}

func TestMainOf(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"java -Xmx1g -cp a:b com.acme.Shop --port 1":  "com.acme.Shop",
		"java -javaagent:x.jar -jar /opt/shop.jar -x": "/opt/shop.jar",
		"java --module-path m -m shop/com.acme.Main":  "shop/com.acme.Main",
		"java -version": "",
		"java @args --add-opens java.base/x=ALL com.A": "com.A",
		// Karaf's
		"java --add-reads=java.xml=java.logging --patch-module java.base=/k/locator.jar -classpath a:b com.A": "com.A",
		"java --limit-modules java.se --enable-native-access a --upgrade-module-path p com.A":                 "com.A",
	} {
		assert.Equal(t, want, mainOf(strings.Fields(line)), line)
	}
}

func TestPropertiesOf(t *testing.T) {
	t.Parallel()
	f := func(line string, want map[string]string) {
		t.Helper()
		assert.Equal(t, want, propertiesOf(strings.Fields(line)), line)
	}
	f("java -Xmx1g -Dcatalina.base=/srv/shop -Dflag -cp a:b org.apache.catalina.startup.Bootstrap start", map[string]string{"catalina.base": "/srv/shop"})
	f("java -D[Standalone] -jar jboss-modules.jar -mp m org.jboss.as.standalone -Djboss.home.dir=/srv/wildfly", map[string]string{"jboss.home.dir": "/srv/wildfly"})
	f("java -Djavax.net.ssl.keyStorePassword=x -Dvault.TOKEN=y -Dserver=s -jar shop.jar", map[string]string{"server": "s"})
	f("java -jar", nil)
}

func TestParseProperties(t *testing.T) {
	t.Parallel()
	got := parseProperties("#now\njolokia.agent=http\\://h\\:1/j\na=b\\=c\n")
	assert.Equal(t, map[string]string{"jolokia.agent": "http://h:1/j", "a": "b=c"}, got)
}

func TestLoadResult(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]string{
		"return code: 0\n": "", "0": "", "return code: 100": "cannot open the agent", "102": "threw an exception",
		"Agent_OnAttach failed": "Agent_OnAttach failed",
	} {
		err := loadResult(answer)
		if want == "" {
			assert.NoError(t, err, answer)
			continue
		}
		assert.ErrorContains(t, err, want, answer)
	}
}

// A JVM with -XX:+PerfDisableSharedMem has no file by which it could be found.
func TestFindsAJVMWithoutPerformanceData(t *testing.T) {
	t.Parallel()
	pid, _ := startJVM(t, "-javaagent:/opt/jolokia.jar=port=7777")
	found := find(t, new(Finder), pid)
	assert.Equal(t, JVM{PID: pid, Main: "read line", JolokiaURL: "http://127.0.0.1:7777/jolokia/"}, found)
}

// Of two JVMs that were told the same port for their agents, the one that came too late has none.
func TestTheAgentsPortIsAnothers(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	assert.False(t, heldByAnother(os.Getpid(), port), "it is this process'")
	pid, _ := startJVM(t, "-javaagent:/opt/jolokia.jar=port="+port)
	assert.Equal(t, JVM{PID: pid, Main: "read line"}, find(t, new(Finder), pid))
	require.NoError(t, listener.Close())
	assert.Equal(t, "http://127.0.0.1:"+port+"/jolokia/", find(t, new(Finder), pid).JolokiaURL, "nobody listens there yet")
}

// A JVM that was killed leaves its performance data behind, and another process gets its id.
func TestPerformanceDataOfAnEarlierJVM(t *testing.T) {
	t.Parallel()
	other := exec.CommandContext(t.Context(), "/bin/sh", "-c", "read line")
	stdin, err := other.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, other.Start())
	dir := fmt.Sprintf("/tmp/hsperfdata_test%d", os.Getpid())
	require.NoError(t, os.Mkdir(dir, 0o700))
	t.Cleanup(func() {
		assert.NoError(t, os.RemoveAll(dir))
		assert.NoError(t, stdin.Close())
		_ = other.Wait() // read has met the end
	})
	require.NoError(t, os.WriteFile(filepath.Join(dir, strconv.Itoa(other.Process.Pid)), nil, 0o600))
	p, err := inspect(other.Process.Pid)
	require.NoError(t, err)
	assert.False(t, p.isJVM())
}

// A JVM that was killed leaves its socket behind, which says nothing of the next one with its id.
func TestSocketOfAnEarlierJVM(t *testing.T) {
	t.Parallel()
	pid, _ := startJVM(t)
	p, err := inspect(pid)
	require.NoError(t, err)
	path := strings.TrimPrefix(p.socket(), p.root)
	_ = os.Remove(path)
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.Remove(path) })
	listener.SetUnlinkOnClose(false)
	require.NoError(t, listener.Close())
	assert.Equal(t, JVM{PID: pid, Main: "read line"}, find(t, new(Finder), pid))
}

// A JVM that is stopped or out of memory takes connections and says nothing: neither it
// nor others may be taken for gone.
func TestSilentJVMIsStillThere(t *testing.T) {
	t.Parallel()
	pid, end := startJVM(t)
	silent := listen(t, pid, "http://127.0.0.1:7778/jolokia")
	var pids []int
	for range 3 {
		other, _ := startJVM(t)
		pids = append(pids, other)
	}
	// Processes are listed by their ids as text: the one that answers is behind two that don't.
	slices.SortFunc(pids, func(a, b int) int { return strings.Compare(strconv.Itoa(a), strconv.Itoa(b)) })
	for i, other := range pids {
		listen(t, other, "http://127.0.0.1:7779/jolokia").Store(i < 2)
	}

	var f Finder
	assert.Equal(t, JVM{PID: pid, Main: "read line", JolokiaURL: "http://127.0.0.1:7778/jolokia"}, find(t, &f, pid))
	silent.Store(true)
	assert.Equal(t, JVM{PID: pid, Main: "read line", JolokiaURL: "http://127.0.0.1:7778/jolokia", Silent: true}, find(t, &f, pid))
	assert.Equal(t, JVM{PID: pids[0], Main: "read line", Silent: true}, find(t, &f, pids[0]), "it never said anything")

	ctx, cancel := context.WithTimeout(t.Context(), openTimeout)
	defer cancel()
	all, err := new(Finder).Find(ctx)
	require.NoError(t, err)
	assert.Contains(t, all, JVM{PID: pids[2], Main: "read line", JolokiaURL: "http://127.0.0.1:7779/jolokia"}, "silent ones have delayed it")

	end()
	all, err = f.Find(t.Context())
	require.NoError(t, err)
	assert.False(t, slices.ContainsFunc(all, func(j JVM) bool { return j.PID == pid }), "it has ended")
	for who := range f.urls {
		assert.NotEqual(t, pid, who.pid, "it is forgotten")
	}
}

// find looks for one process.
func find(t *testing.T, f *Finder, pid int) JVM {
	t.Helper()
	found, err := f.Find(t.Context())
	require.NoError(t, err)
	i := slices.IndexFunc(found, func(j JVM) bool { return j.PID == pid })
	require.GreaterOrEqual(t, i, 0)
	return found[i]
}

// startJVM starts a shell that goes by the name of java, and ends it.
func startJVM(t *testing.T, args ...string) (pid int, end func()) {
	t.Helper()
	shell, err := os.ReadFile("/bin/sh")
	require.NoError(t, err)
	java := filepath.Join(t.TempDir(), "java")
	require.NoError(t, os.WriteFile(java, shell, 0o700)) //nolint:gosec // it is to be run
	cmd := exec.CommandContext(t.Context(), java, append([]string{"-c", "read line"}, args...)...)
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	end = sync.OnceFunc(func() {
		assert.NoError(t, stdin.Close())
		_ = cmd.Wait() // read has met the end
	})
	t.Cleanup(end)
	return cmd.Process.Pid, end
}

// listen answers in the place of a JVM's attach listener, until it falls silent.
func listen(t *testing.T, pid int, agent string) (silent *atomic.Bool) {
	t.Helper()
	p, err := inspect(pid)
	require.NoError(t, err)
	path := strings.TrimPrefix(p.socket(), p.root) // it is there when the process is not
	_ = os.Remove(path)                            // a JVM that had the same id and was killed leaves one
	listener, err := net.Listen("unix", path)
	require.NoError(t, err)
	silent = new(atomic.Bool)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			if silent.Load() {
				t.Cleanup(func() { _ = conn.Close() })
				continue
			}
			request := bufio.NewReader(conn)
			for range 5 { // its version, the command and three arguments
				_, _ = request.ReadString(0)
			}
			fmt.Fprintf(conn, "0\njolokia.agent=%s\n", strings.ReplaceAll(agent, ":", "\\:"))
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-done
	})
	return silent
}

// A JVM that has an agent gets no other: both would serve, each under its own policy.
func TestASecondAgentIsNotLoaded(t *testing.T) {
	t.Parallel()
	pid, _ := startJVM(t)
	listen(t, pid, "http://127.0.0.1:7780/jolokia")
	jar := filepath.Join(t.TempDir(), "jolokia.jar")
	require.NoError(t, os.WriteFile(jar, nil, 0o600))
	err := Load(t.Context(), pid, jar, "port=7781")
	require.ErrorContains(t, err, "has a Jolokia agent already, at http://127.0.0.1:7780/jolokia: nothing was loaded")
	assert.ErrorContains(t, err, "jolokia.jar stop "+strconv.Itoa(pid))
}

// Runtimes that jlink made say what is in them; others say nothing.
func TestARuntimeWithoutTheAgentsModule(t *testing.T) {
	t.Parallel()
	p := &process{root: t.TempDir()}
	f := func(release string, want bool) {
		t.Helper()
		require.NoError(t, os.WriteFile(filepath.Join(p.root, "release"), []byte(release), 0o600))
		assert.Equal(t, want, p.lacks(agentModule, "/"), release)
	}
	f("JAVA_VERSION=\"11.0.13\"\nMODULES=\"java.base java.management jdk.jcmd\"\n", true)
	f("JAVA_VERSION=\"21.0.8\"\nMODULES=\"java.base jdk.httpserver jdk.jcmd\"\n", false)
	f("JAVA_VERSION=\"1.8.0_422\"\n", false)
	assert.False(t, p.lacks(agentModule, "/no/such/home"))
}

// A process that is no JVM must never get a signal: it would end.
func TestOtherProcessesAreLeftAlone(t *testing.T) {
	t.Parallel()
	p, err := inspect(os.Getpid())
	require.NoError(t, err)
	require.ErrorIs(t, p.open(t.Context()), ErrNoJVM)
	_, err = inspect(1 << 30)
	require.ErrorIs(t, err, ErrNoJVM)
}

// TestOtherUsersJVMs: who may look at none of them is told that there are some.
func TestOtherUsersJVMs(t *testing.T) {
	t.Parallel()
	if os.Getenv("FIND_AS_NOBODY") != "" {
		var f Finder
		found, err := f.Find(t.Context())
		require.NoError(t, err)
		assert.Empty(t, found)
		assert.Positive(t, f.Others)
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can be another user")
	}
	dir, err := os.MkdirTemp("", "others")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o755)) //nolint:gosec // for another user
	copyOf := func(from, name string) string {
		program, err := os.ReadFile(from)
		require.NoError(t, err)
		to := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(to, program, 0o755)) //nolint:gosec // it is to be run, by another user
		return to
	}
	java := exec.CommandContext(t.Context(), copyOf("/bin/sh", "java"), "-c", "read line")
	stdin, err := java.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, java.Start())
	self, err := os.Executable()
	require.NoError(t, err)
	nobody := exec.CommandContext(t.Context(), copyOf(self, "test"), "-test.run", "^TestOtherUsersJVMs$", "-test.v")
	nobody.Dir, nobody.Env = "/", []string{"FIND_AS_NOBODY=1"}
	nobody.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	said, err := nobody.CombinedOutput()
	require.NoError(t, err, "%s", said)
	assert.Contains(t, string(said), "--- PASS: TestOtherUsersJVMs")
	require.NoError(t, stdin.Close())
	_ = java.Wait() // read has met the end
}
