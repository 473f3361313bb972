package store

import (
	"bytes"
	"context"
	"log/slog"

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
		slog.String("text", string(text)), slog.String("location", string(location)))
	return len(p), nil
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
