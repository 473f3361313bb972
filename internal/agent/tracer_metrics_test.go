package agent

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/apm-sidecar/apm-sidecar/internal/series"
	"github.com/apm-sidecar/apm-sidecar/internal/tx"
)

// TestTheAgeOfWhatIsEstimatedIsSure: a minute on a thread may be many quick requests in a row.
func TestTheAgeOfWhatIsEstimatedIsSure(t *testing.T) {
	active := []tx.Active{
		{Source: "tomcat", ElapsedMs: 60_000},
		{Source: tx.SourceThreads, ElapsedMs: 60_000},
		{Source: tx.SourceThreads, ElapsedMs: 60_000, StuckMs: 2_000},
		{Source: tx.SourceThreads, ElapsedMs: 60_000, StuckMs: 40_000},
	}
	got := map[string]float64{}
	for _, s := range transactionSamples(nil, time.Now(), tx.Stats{}, active, true) {
		if s.Name == series.NameInFlight {
			got[s.Labels[0].Value] = s.Value
		}
	}
	assert.Equal(t, map[string]float64{"0-1": 1, "1-3": 1, "3-8": 0, "8+": 2}, got)
}
