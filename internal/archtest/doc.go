// Package archtest holds the rules of docs/architecture.md as tests: who may
// import whom, who owns which library, and what no file may contain.
package archtest
