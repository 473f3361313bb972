//go:build !linux

package harness

import "syscall"

// setDeathSignal does nothing here: only Linux knows death signals, elsewhere
// the guard alone cleans up.
func setDeathSignal(*syscall.SysProcAttr, syscall.Signal) {}
