//go:build !linux

package agent

// lowerPriority does nothing: elsewhere priority belongs to the process.
func lowerPriority() {}

// onFirstThread does not matter there.
func onFirstThread() bool { return false }
