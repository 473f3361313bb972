package discover

import (
	"fmt"
	"time"

	"github.com/VictoriaMetrics/VictoriaMetrics/lib/promutil"
)

// Refresh is the time between two questions to a source; zero means the source's own.
type Refresh struct {
	promutil.Duration
}

// minRefresh is the shortest.
const minRefresh = time.Second

// or is the time, or that of the source if none is given.
func (r Refresh) or(own time.Duration) time.Duration {
	if r.D == 0 {
		return own
	}
	return r.D
}

func (r Refresh) validate() error {
	if r.D != 0 && r.D < minRefresh {
		return fmt.Errorf("refresh_interval %s is shorter than %s", r.D, minRefresh)
	}
	return nil
}
