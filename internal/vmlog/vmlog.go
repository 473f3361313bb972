// Package vmlog has the log of VictoriaMetrics' packages: one for the process, in globals of
// theirs, and for some of them the only place where they tell what goes wrong.
package vmlog

import (
	"bytes"
	"context"
	"flag"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/VictoriaMetrics/VictoriaMetrics/lib/logger"
)

// theirs mirrors that global: where the log goes is set once, as goroutines of a store that
// was closed go on writing to it.
var theirs = sync.OnceValue(func() *writer {
	w := &writer{listeners: map[*listener]bool{}}
	w.log.Store(slog.New(slog.DiscardHandler))
	// slog has a time of its own. The flag is theirs, and takes the word.
	_ = flag.Set("loggerDisableTimestamps", "true")
	logger.SetOutputForTests(w)
	return w
})

// To sends what nobody listens to to l. Their logger offers no other hook than the one
// named for tests.
func To(l *slog.Logger) { theirs().log.Store(l) }

// OnFatal has f called with the last words before a panic that nothing can be done about,
// mostly in a goroutine of theirs, which nobody recovers; nil for nobody.
func OnFatal(f func(text string)) {
	if f == nil {
		theirs().fatal.Store(nil)
		return
	}
	theirs().fatal.Store(&f)
}

// Listen has f called with the warnings and errors of the source files whose path within
// the module begins so, in place of the log, until stop is called. f may be called from
// many goroutines.
func Listen(path string, f func(text string)) (stop func()) {
	w, l := theirs(), &listener{path, f}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.listeners[l] = true
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.listeners, l)
	}
}

type listener struct {
	path string
	hear func(text string)
}

// writer turns lines of the form "level\tlocation\tmessage\n" into records.
type writer struct {
	log   atomic.Pointer[slog.Logger]
	fatal atomic.Pointer[func(text string)]

	mu        sync.Mutex
	listeners map[*listener]bool
}

// Write implements io.Writer for one line per call.
func (w *writer) Write(p []byte) (int, error) {
	word, rest, _ := bytes.Cut(bytes.TrimRight(p, "\n"), []byte("\t"))
	location, text, ok := bytes.Cut(rest, []byte("\t"))
	if !ok {
		location, text = nil, p
	}
	if what, ok := bytes.CutPrefix(text, []byte("FATAL: ")); ok && string(word) == "panic" {
		if fatal := w.fatal.Load(); fatal != nil {
			(*fatal)(string(what))
		}
	}
	at, level := inModule(string(location)), levelOf(string(word))
	if level < slog.LevelWarn || !w.heard(at, string(text)) {
		w.log.Load().Log(context.Background(), level, "engine", slog.String("text", string(text)), slog.String("location", at))
	}
	return len(p), nil
}

// heard tells whether somebody listens to what comes from there.
func (w *writer) heard(location, text string) bool {
	var ears []func(string)
	w.mu.Lock()
	for l := range w.listeners {
		if strings.HasPrefix(location, l.path) {
			ears = append(ears, l.hear)
		}
	}
	w.mu.Unlock()
	for _, hear := range ears {
		hear(text)
	}
	return len(ears) > 0
}

// inModule strips what is before the module's own folders from a source
// location: "/home/x/go/pkg/mod/...@v1.130.0/lib/a.go:1" becomes "lib/a.go:1".
func inModule(location string) string {
	begin := -1
	for _, folder := range []string{"/app/", "/lib/"} {
		begin = max(begin, strings.LastIndex(location, folder))
	}
	return location[begin+1:]
}

// levelOf maps the level word. What VictoriaMetrics calls information is about
// its own inner workings: debug for us.
func levelOf(word string) slog.Level {
	switch word {
	case "info":
		return slog.LevelDebug
	case "warn":
		return slog.LevelWarn
	default: // error, fatal, panic
		return slog.LevelError
	}
}
