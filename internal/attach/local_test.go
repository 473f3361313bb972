package attach

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
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
	} {
		assert.Equal(t, want, mainOf(strings.Fields(line)), line)
	}
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
func TestLocalFindsAJVMWithoutPerformanceData(t *testing.T) {
	t.Parallel()
	shell, err := os.ReadFile("/bin/sh")
	require.NoError(t, err)
	java := filepath.Join(t.TempDir(), "java")
	require.NoError(t, os.WriteFile(java, shell, 0o700)) //nolint:gosec // it is to be run
	cmd := exec.CommandContext(t.Context(), java, "-c", "read line", "-javaagent:/opt/jolokia.jar=port=7777")
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		assert.NoError(t, stdin.Close())
		_ = cmd.Wait() // read has met the end
	})
	found, err := Local(t.Context())
	require.NoError(t, err)
	i := slices.IndexFunc(found, func(j JVM) bool { return j.PID == cmd.Process.Pid })
	require.GreaterOrEqual(t, i, 0)
	assert.Equal(t, "http://127.0.0.1:7777/jolokia/", found[i].JolokiaURL)
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
