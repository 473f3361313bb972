// Package spans joins the spans that applications send of themselves to what was seen of
// their transactions from outside.
//
// A Window holds spans by trace until it is known whether the transaction that they are
// of is slow; those of quick ones are dropped. What belongs together is told by the
// process, the thread and the time, never guessed: what fits twice is not joined. Like
// tx it does no I/O, and its clock is the caller's.
package spans
