// Package jmx speaks to a Jolokia agent over HTTP and turns its answers into
// the plain values of package jvm. It reads attributes by one bulk request per
// poll and executes the operations of a compiled list, nothing else: never a
// write, never a "list", never an operation named by a user.
//
// Agents of the lines 1.x and 2.x differ in how they report errors; those wire
// forms stay inside this package. Protocol:
// https://jolokia.org/reference/html/manual/jolokia_protocol.html
package jmx
