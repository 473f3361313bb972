package harness

import "syscall"

// setDeathSignal has the kernel signal the child when its parent thread ends.
// It works beside the guard, and without its delay.
func setDeathSignal(attr *syscall.SysProcAttr, signal syscall.Signal) {
	if signal == 0 {
		signal = syscall.SIGKILL
	}
	attr.Pdeathsig = signal
}
