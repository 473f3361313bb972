package offheap

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// asksForHugePages says whether the system was asked for huge pages for an array.
//
// Source: proc_pid_smaps(5): a mapping begins with its range of addresses, and "hg" among its
// VmFlags is the advice.
func asksForHugePages(t *testing.T, a Array[uint8]) bool {
	t.Helper()
	smaps, err := os.ReadFile("/proc/self/smaps")
	require.NoError(t, err)
	_, here, found := strings.Cut(string(smaps), fmt.Sprintf("\n%x-", uintptr(unsafe.Pointer(&a.raw[0]))))
	require.True(t, found)
	_, here, found = strings.Cut(here, "\nVmFlags:")
	require.True(t, found)
	flags, _, _ := strings.Cut(here, "\n")
	return slices.Contains(strings.Fields(flags), "hg")
}

// TestHugePages: big arrays ask for them, but those in files, which would come back two megabytes
// at a time.
func TestHugePages(t *testing.T) {
	m := spilling(t)
	inMemory, err := Make[uint8](m, hugeBytes)
	require.NoError(t, err)
	defer inMemory.Free()
	if !asksForHugePages(t, inMemory) {
		t.Skip("the system has no huge pages")
	}
	require.NoError(t, m.Spill())
	made, err := Make[uint8](m, hugeBytes)
	require.NoError(t, err)
	defer made.Free()
	assert.False(t, asksForHugePages(t, made))
	assert.False(t, asksForHugePages(t, inMemory), "it was moved")
}
