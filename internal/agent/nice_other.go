//go:build !linux

package agent

// lowerPriority does nothing: elsewhere priority belongs to the process.
func lowerPriority() {}
