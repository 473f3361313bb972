// Package tx follows the requests that an application server works on, seen from
// outside: which are in flight, which turn out slow, and where their time goes.
//
// A Tracker is fed with what a client read (jvm.Requests and jvm.Thread) and does no
// I/O itself. It keeps what it saw of every request in flight, and makes a Record of
// those that took longer than the threshold of their route. Its clock is the
// caller's.
package tx
