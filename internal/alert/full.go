package alert

import (
	"hash/fnv"
	"time"
)

// fullFor is for how long the store takes nothing before people are told.
const fullFor = 30 * time.Second

// fullSource is whom the one alert comes from that no rule finds: rules ask the store, and one
// that takes nothing does not even know that its disk is full.
func fullSource() Source { return Source{File: "apm-sidecar", Group: "store", Rule: "full"} }

// observeStore finds that the store takes nothing, or takes samples again.
func (e *Engine) observeStore(now time.Time) {
	switch {
	case !e.opts.Sink.Full():
		e.fullSince = time.Time{}
	case e.fullSince.IsZero() || now.Before(e.fullSince):
		e.fullSince = now
	}
	var found []Alert
	if !e.fullSince.IsZero() && now.Sub(e.fullSince) >= fullFor {
		found = append(found, e.storeFull())
	}
	e.book.Observe(fullSource(), found, nil, now)
}

// storeFull is the alert. Its labels are those of the sidecar's own metrics, so that it goes into
// one message with what rules found of the same disk before.
func (e *Engine) storeFull() Alert {
	const name = "StoreTakesNothing"
	id := fnv.New64a()
	_, _ = id.Write([]byte(name + e.opts.Instance)) // a hash takes all
	return Alert{
		ID: alertID(id.Sum64()), Source: fullSource(), State: Active, Value: "1",
		Since: e.fullSince.UTC(), FiredAt: e.fullSince.Add(fullFor).UTC(),
		Labels: map[string]string{"alertname": name, "severity": "critical", "job": "apm-sidecar", "instance": e.opts.Instance},
		Annotations: map[string]string{
			"summary": "The sidecar " + e.opts.Instance + " stores nothing, its disk is full: alerts neither begin nor end",
			"description": "No rule finds out what ails the JVMs while that lasts. Make room on the disk of data_dir, or shorten retention. " +
				"Samples wait in the queue, and its oldest are dropped.",
		},
	}
}
