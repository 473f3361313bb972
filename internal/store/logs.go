package store

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/VictoriaMetrics/VictoriaMetrics/lib/logger"
)

// engineLog mirrors the global state of VictoriaMetrics, as opened does: where its log
// goes, set once, for goroutines of a store that was open before go on writing to it.
var engineLog = sync.OnceValue(func() *logWriter {
	w := &logWriter{}
	w.l.Store(slog.New(slog.DiscardHandler))
	logger.SetOutputForTests(w)
	return w
})

// bridgeLogs sends the log of VictoriaMetrics to l. Its logger offers no other
// hook than the one named for tests.
func bridgeLogs(l *slog.Logger) { engineLog().l.Store(l) }

// logWriter turns lines of the form "level\tlocation\tmessage\n" into records.
type logWriter struct {
	l atomic.Pointer[slog.Logger]
}

// Write implements io.Writer for one line per call.
func (w *logWriter) Write(p []byte) (int, error) {
	level, rest, _ := bytes.Cut(bytes.TrimRight(p, "\n"), []byte("\t"))
	location, text, ok := bytes.Cut(rest, []byte("\t"))
	if !ok {
		location, text = nil, p
	}
	w.l.Load().Log(context.Background(), slogLevel(string(level)), "store engine",
		slog.String("text", string(text)), slog.String("location", inModule(string(location))))
	return len(p), nil
}

// inModule strips what is before the module's own folders from a source
// location: "/home/x/go/pkg/mod/...@v1.130.0/lib/a.go:1" becomes "lib/a.go:1".
func inModule(location string) string {
	for _, folder := range []string{"/app/", "/lib/"} {
		if i := strings.LastIndex(location, folder); i >= 0 {
			return location[i+1:]
		}
	}
	return location
}

// slogLevel maps the level word. What VictoriaMetrics calls information is about
// its own inner workings: debug for us.
func slogLevel(level string) slog.Level {
	switch level {
	case "info":
		return slog.LevelDebug
	case "warn":
		return slog.LevelWarn
	default: // error, fatal, panic
		return slog.LevelError
	}
}
