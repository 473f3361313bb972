// Package push brings samples to their destinations and loses none on the way.
//
//	Append ──► encode once ──► queue on disk ──► worker ──► Destination
//	                           one per destination, one worker each
//
// Append returns when the samples are in the queue of every destination; from
// then on they survive a kill -9 of this process. A worker hands them over in
// order, at least once: a receiver that keeps fresh data in memory only (as
// VictoriaMetrics does) is trusted when it is seen to be still the same process
// after a window, and gets everything again that was not trusted to it when it
// may have restarted. Receivers must take equal samples
// twice; VictoriaMetrics does with a deduplication interval of 1 ms.
//
// A power cut may cost what the system had not written yet: about one second
// while Run is at work.
//
// Start order: Open after the destinations are ready (the store is open), then
// Run, then whatever appends. Stop order: end what appends, cancel the context
// of Run and wait for it, Close, then close the store.
package push
