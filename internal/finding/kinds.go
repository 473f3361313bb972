package finding

// Kinds are the names that a Finding's Kind can have, sorted: what a gate can be told to
// look for. A report of another version may have others.
func Kinds() []string {
	return []string{
		"abandoned-connections",
		"big-retainer",
		"class-loader-leak",
		"class-values",
		"cleaner-backlog",
		"cleaner-self-reference",
		"closed-connections",
		"deadlock",
		"direct-buffers",
		"duplicate-strings",
		"finalizer-slow",
		"finalizer-stuck",
		"finalizers-waiting-for-old-gc",
		"growing-collection",
		"lock-convoy",
		"open-connections",
		"open-deflaters",
		"open-statements",
		"scheduler-held",
		"sparse-arrays",
		"statement-cache",
		"thread-leak",
		"thread-local-leak",
		"timer-blocked",
		"timer-held",
	}
}
