package report

import (
	"bytes"
	"testing"

	"github.com/google/pprof/profile"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestProfile reads a profile back: its totals are the heap's, and the way to the
// statements leads through the queue.
func TestProfile(t *testing.T) {
	r := seedReport()
	var b bytes.Buffer
	require.NoError(t, Profile(&b, r))
	p, err := profile.ParseData(b.Bytes())
	require.NoError(t, err)
	var totals [profileValues]int64
	ways := map[string]int64{}
	for _, s := range p.Sample {
		for i, v := range s.Value {
			totals[i] += v
		}
		way := ""
		for _, l := range s.Location {
			way += l.Line[0].Function.Name + " < "
		}
		ways[way] += s.Value[profileBytes]
	}
	assert.Equal(t, *r.Heap.ReachableBytes, totals[profileBytes])
	assert.Equal(t, *r.Heap.ReachableObjects, totals[profileObjects])
	assert.Equal(t, int64(30_041), totals[profileHeldObjects])
	assert.Equal(t, int64(3_364_264), totals[profileHeldBytes])
	assert.Equal(t, int64(9_000_000), ways["byte[] < org.postgresql.jdbc3g.Jdbc3gPreparedStatement < "+
		"org.postgresql.jdbc2.AbstractJdbc2Statement$1 < java.util.TimerTask[] < "])
	assert.Equal(t, "bytes", p.DefaultSampleType)

	b.Reset()
	require.NoError(t, Profile(&b, histogramReport()), "nothing to show is no error")
	_, err = profile.ParseData(b.Bytes())
	require.NoError(t, err)
}
