package attach

import (
	"archive/zip"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestRunsOn: an agent for a later Java poisons the JVM that it is loaded into. What is no jar with an
// agent is left to the JVM, which says so.
func TestRunsOn(t *testing.T) {
	t.Parallel()
	const (
		manifest = "META-INF/MANIFEST.MF"
		agent    = "Manifest-Version: 1.0\r\nAgent-Class: org.jolokia.jvm\r\n agent.JvmAgent\r\n\r\n"
		class    = "org/jolokia/jvmagent/JvmAgent.class"
		java17   = "\xca\xfe\xba\xbe\x00\x00\x00\x3d"
	)
	for name, c := range map[string]struct {
		files map[string]string
		jvm   string
		want  string // a part of the error
	}{
		"Java 8":         {map[string]string{manifest: agent, class: java17}, "52.0", "agent.jar is made for a later Java, 17, than the JVM's, 8"},
		"Java 17":        {map[string]string{manifest: agent, class: java17}, "61.0", ""},
		"Java 25":        {map[string]string{manifest: agent, class: java17}, "69.0", ""},
		"unknown Java":   {map[string]string{manifest: agent, class: java17}, "", ""},
		"no class":       {map[string]string{manifest: agent}, "52.0", ""},
		"class cut off":  {map[string]string{manifest: agent, class: java17[:5]}, "52.0", ""},
		"no agent":       {map[string]string{manifest: "Manifest-Version: 1.0\n"}, "52.0", ""},
		"hostile agent":  {map[string]string{manifest: "Agent-Class: /../../etc\n"}, "52.0", ""},
		"no manifest":    {map[string]string{class: java17}, "52.0", ""},
		"an empty jar":   {map[string]string{}, "52.0", ""},
		"manifest alone": {map[string]string{manifest: "\x00"}, "52.0", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			jar := filepath.Join(t.TempDir(), "agent.jar")
			f, err := os.Create(jar)
			require.NoError(t, err)
			z := zip.NewWriter(f)
			for name, content := range c.files {
				w, err := z.Create(name)
				require.NoError(t, err)
				_, err = w.Write([]byte(content))
				require.NoError(t, err)
			}
			require.NoError(t, z.Close())
			require.NoError(t, f.Close())
			if err := runsOn(jar, c.jvm); c.want == "" {
				assert.NoError(t, err)
			} else {
				require.ErrorIs(t, err, errTooNew)
				assert.ErrorContains(t, err, c.want)
			}
		})
	}
	assert.NoError(t, runsOn(filepath.Join(t.TempDir(), "missing.jar"), "52.0"))
}
