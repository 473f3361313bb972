package tx_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/apm-sidecar/apm-sidecar/internal/tx"
)

func TestHeatMap(t *testing.T) {
	from := time.Unix(1_000_000, 0)
	m := tx.NewHeatMap(from, from.Add(10*time.Minute), 10)
	add := func(after time.Duration, ms int64, class tx.Class, state tx.State, route string) {
		m.Add(&tx.Summary{End: from.Add(after), ElapsedMs: ms, Class: class, State: state, Route: route})
	}
	add(-time.Second, 3000, tx.ClassSQL, tx.StateFinished, "/early")
	add(10*time.Minute, 3000, tx.ClassSQL, tx.StateFinished, "/late")
	add(0, 2000, tx.ClassSQL, tx.StateFinished, "/a")
	add(59*time.Second, 2827, tx.ClassSQL, tx.StateFailed, "/a")
	add(time.Minute, 2828, "", tx.StateLost, "/b")
	add(10*time.Minute-1, 100, tx.ClassCPU, tx.StateFinished, "/b")
	add(0, 1<<40, tx.ClassCPU, tx.StateFinished, "/b")

	h := m.Heat()
	assert.Equal(t, 5, h.Total)
	assert.Equal(t, []int64{250, 354, 500, 707, 1000, 1414, 2000, 2828, 4000}, h.BoundsMs[:9])
	assert.Equal(t, []tx.HeatCell{{0, 6, 2, 1}, {0, 39, 1, 0}, {1, 7, 1, 0}, {9, 0, 1, 0}}, h.Cells)
	assert.Equal(t, []tx.ClassCount{{Class: tx.ClassCPU, Count: 2}, {Class: tx.ClassSQL, Count: 2}, {Class: tx.ClassUnknown, Count: 1}}, h.Classes)
	assert.Equal(t, []tx.RouteCount{{Route: "/b", Count: 3}, {Route: "/a", Count: 2}}, h.Routes)

	empty := tx.NewHeatMap(from, from.Add(time.Minute), 3).Heat()
	assert.Equal(t, []int64{1000, 1414, 2000, 2828, 4000, 5657, 8000, 11314, 16000}, empty.BoundsMs)
	assert.NotNil(t, empty.Cells)
}
