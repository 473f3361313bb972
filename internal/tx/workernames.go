package tx

import (
	"slices"
	"strings"
	"unicode"
)

// Names of threads that handle requests, as far as servers have any of their own, each number a "#".
var (
	workerStarts = []string{"qtp#-", "default task-", "Default Executor-thread-", "http-", "ajp-", "dw-", "grizzly", "vert.x-", "reactor-http-",
		"HTTP-Dispatcher", "pool-#-thread-"}
	workerParts = []string{"ExecuteThread: ", "Jetty", "jetty", "Executor", "executor", "ThreadPool", "Worker", "worker", "EventLoopGroup", "eventLoopGroup"}
)

// namedLikeWorkers tells whether the threads of a family are called as servers call their workers.
func namedLikeWorkers(family string) bool {
	return slices.ContainsFunc(workerStarts, func(s string) bool { return strings.HasPrefix(family, s) }) ||
		slices.ContainsFunc(workerParts, func(s string) bool { return strings.Contains(family, s) }) ||
		strings.HasSuffix(family, "-exec-#") ||
		strings.HasPrefix(family, "XNIO-") && strings.Contains(family, " task") ||
		hasWork(family)
}

// hasWork finds a word that begins with work: network is none.
func hasWork(name string) bool {
	if !strings.Contains(name, "ork") {
		return false
	}
	for word := range strings.FieldsFuncSeq(name, func(r rune) bool { return !unicode.IsLetter(r) && r != '_' }) {
		if strings.HasPrefix(word, "Work") || strings.HasPrefix(word, "work") {
			return true
		}
	}
	return false
}

// family is what the threads of a pool are called alike: a name with a "#" for each number.
func family(name string) string {
	var b strings.Builder
	b.Grow(len(name))
	for i := range len(name) {
		switch digit := isDigit(name[i]); {
		case !digit:
			b.WriteByte(name[i])
		case i == 0 || !isDigit(name[i-1]):
			b.WriteByte('#')
		}
	}
	return b.String()
}
