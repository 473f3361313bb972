// Package push brings samples to their destinations and loses none on the way.
//
//	Append ──► group ──► pack once ──► queue on disk ──► worker ──► Destination
//	                                   one per destination, one worker each
//
// What is appended within a moment is one record: it is packed once, for the queues and
// for the receivers. Append returns when it is in the queue of every destination; from
// then on the samples survive a kill -9 of this process, unless the disk takes nothing:
// then some wait in memory. A worker hands them over at least once, and in order,
// but that fresh ones go before a backlog where the receiver takes them in any order.
// A receiver that keeps fresh data in memory only (as VictoriaMetrics does) is trusted
// when it is seen to be still the same process after a window, and gets everything again
// that was not trusted to it when it may have restarted. In a cluster that is about the
// vmstorages: vminsert tells of them. Receivers must take equal samples twice;
// VictoriaMetrics does with a deduplication interval of 1 ms.
//
// A power cut may cost what the system had not written yet: about one second
// while Run is at work.
//
// Start order: Open after the destinations are ready (the store is open), then
// Run, then whatever appends. Stop order: end what appends, cancel the context
// of Run and wait for it, Close, then close the store.
package push
