// Package offheaptest helps tests of where temporary files go.
package offheaptest

import (
	"bytes"
	"os"
	"os/exec"
	"testing"
)

// ownMounts tells a test that it runs with mounts of its own.
const ownMounts = "TEST_WITH_OWN_MOUNTS"

// OwnMounts says whether the test can mount what it likes and nobody else sees it. Where it can't,
// it has run the test once more, in a process that can, with the same outcome: the test is to
// return then. It is skipped where the system does not let it.
func OwnMounts(t *testing.T) bool {
	t.Helper()
	if os.Getenv(ownMounts) != "" {
		return true
	}
	if out, err := exec.CommandContext(t.Context(), "unshare", "-rm", "true").CombinedOutput(); err != nil {
		t.Skipf("no mounts of one's own here: %v %s", err, out)
	}
	again := exec.CommandContext(t.Context(), "unshare", "-rm", os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	again.Env = append(os.Environ(), ownMounts+"=yes")
	out, err := again.CombinedOutput()
	switch {
	case err != nil:
		t.Fatalf("%v\n%s", err, out)
	case bytes.Contains(out, []byte("--- SKIP")):
		t.Skipf("%s", out)
	case !bytes.Contains(out, []byte("--- PASS: "+t.Name())):
		t.Fatalf("the test did not run:\n%s", out)
	}
	return false
}
