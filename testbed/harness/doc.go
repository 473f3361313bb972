// Package harness starts the real parts that the demo and the end-to-end tests
// need: a throwaway PostgreSQL cluster, JVMs with the Jolokia agent, and load.
//
// Everything lives in a Bench: one temporary folder and the processes started
// for it. Closing the bench stops the processes and removes the folder. The
// same happens when the program that opened the bench dies of SIGKILL: a guard
// process, the shell script guard.sh, sees its pipe close and cleans up.
//
// The package needs a Unix: process groups and signals.
package harness
