package vmlog_test

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/VictoriaMetrics/VictoriaMetrics/lib/logger"
	"github.com/stretchr/testify/assert"

	"github.com/apm-sidecar/apm-sidecar/internal/vmlog"
)

// here is where this file lies, as their log has it.
const here = "vmlog_test.go"

func TestLinesGoToTheLogOrToWhoListens(t *testing.T) {
	var log bytes.Buffer
	vmlog.To(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	defer vmlog.To(slog.New(slog.DiscardHandler))

	logger.Errorf("one")
	assert.Contains(t, log.String(), "level=ERROR msg=engine text=one location=")
	assert.Contains(t, log.String(), here)

	var heard []string
	stop := vmlog.Listen("", func(text string) { heard = append(heard, text) })
	other := vmlog.Listen("lib/other/", func(text string) { heard = append(heard, "other "+text) })
	defer other()
	logger.Warnf("two")
	logger.Infof("three")
	assert.Equal(t, []string{"two"}, heard)
	assert.NotContains(t, log.String(), "two")
	assert.Contains(t, log.String(), "level=DEBUG msg=engine text=three")
	stop()
	logger.Warnf("four")
	assert.Contains(t, log.String(), "text=four")
}

func TestTheLastWordBeforeAPanicIsHeard(t *testing.T) {
	var last []string
	vmlog.OnFatal(func(text string) { last = append(last, text) })
	assert.Panics(t, func() { logger.Panicf("FATAL: no space left") })
	assert.Panics(t, func() { logger.Panicf("BUG: impossible") }, "is for whoever recovers")
	vmlog.OnFatal(nil)
	assert.Panics(t, func() { logger.Panicf("FATAL: again") })
	assert.Equal(t, []string{"no space left"}, last)
}
