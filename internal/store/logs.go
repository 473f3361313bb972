package store

import (
	"bytes"
	"context"
	"log/slog"
	"strings"

	"github.com/VictoriaMetrics/VictoriaMetrics/lib/logger"
)

// bridgeLogs sends the log of VictoriaMetrics to l. Its logger offers no other
// hook than the one named for tests.
func bridgeLogs(l *slog.Logger) {
	logger.SetOutputForTests(logWriter{l})
}

// logWriter turns lines of the form "level\tlocation\tmessage\n" into records.
type logWriter struct {
	l *slog.Logger
}

// Write implements io.Writer for one line per call.
func (w logWriter) Write(p []byte) (int, error) {
	level, rest, _ := bytes.Cut(bytes.TrimRight(p, "\n"), []byte("\t"))
	location, text, ok := bytes.Cut(rest, []byte("\t"))
	if !ok {
		location, text = nil, p
	}
	w.l.Log(context.Background(), slogLevel(string(level)), "store engine",
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
