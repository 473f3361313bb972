package cores_test

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/apm-sidecar/apm-sidecar/internal/cores"
)

func TestSpareOne(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	n := runtime.NumCPU()

	runtime.GOMAXPROCS(n)
	cores.SpareOne()
	assert.Equal(t, n+1, runtime.GOMAXPROCS(0))
	assert.Equal(t, n, cores.Workers(), "the spare slot is for nobody's work")
	cores.SpareOne()
	assert.Equal(t, n+1, runtime.GOMAXPROCS(0), "one is enough")

	if n > 1 {
		runtime.GOMAXPROCS(n - 1)
		cores.SpareOne()
		assert.Equal(t, n-1, runtime.GOMAXPROCS(0), "who asks for fewer gets fewer")
		assert.Equal(t, n-1, cores.Workers())
	}
}
