package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
)

// maxFileBytes bounds a configuration file.
const maxFileBytes = 1 << 20

// Load reads the file over the defaults, with the values of environment variables
// in it. Errors name the file, the line and the column. It does not validate.
func Load(file string, getenv func(string) string) (Config, error) {
	f, err := os.Open(file)
	if err != nil {
		return Config{}, fmt.Errorf("configuration: %w", err)
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return Config{}, fmt.Errorf("configuration: %w", err)
	}
	if len(content) > maxFileBytes {
		return Config{}, fmt.Errorf("configuration %s is longer than %d bytes", file, maxFileBytes)
	}
	content = bytes.TrimPrefix(content, []byte("\ufeff")) // the mark of editors on Windows
	if line := lineNotUTF8(content); line > 0 {
		return Config{}, fmt.Errorf("configuration %s: line %d is not in UTF-8%s", file, line, excerpt(strings.ToValidUTF8(string(content), "?"), line))
	}
	text, err := expand(string(content), getenv)
	if err != nil {
		return Config{}, fmt.Errorf("configuration %s: %w", file, err)
	}
	c := Default()
	decoder := yaml.NewDecoder(strings.NewReader(text), yaml.Strict())
	err = decoder.Decode(&c)
	if errors.Is(err, io.EOF) || c.isZero() {
		return Default(), nil // no document: the decoder may have zeroed c
	}
	if err != nil {
		return Config{}, fmt.Errorf("configuration %s: %s", file, describe(err, string(content)))
	}
	var second any
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) && second != nil {
		return Config{}, fmt.Errorf("configuration %s: has a second document, behind a line of ---; write one", file)
	}
	return c, nil
}

// lineNotUTF8 is the first line, counted from 1, with bytes that are no text: they would
// come out in labels, which receivers refuse. 0 if there is none.
func lineNotUTF8(content []byte) int {
	for i, line := range bytes.Split(content, []byte("\n")) {
		if !utf8.Valid(line) {
			return i + 1
		}
	}
	return 0
}

// isZero tells a Config that even lost its defaults.
func (c Config) isZero() bool { return reflect.ValueOf(c).IsZero() }

// describe is the place and the message of a YAML error, and the line of the file
// that it is about: the parser's own excerpt may hold secrets.
func describe(err error, content string) string {
	if m, ok := errors.AsType[*misplaced](err); ok {
		return m.Error() + excerpt(content, m.line)
	}
	if e, ok := errors.AsType[*yaml.TypeError](err); ok {
		at := e.Token.Position
		return fmt.Sprintf("[%d:%d] %s is wanted here", at.Line, at.Column, wanted(e.DstType.Kind())) + excerpt(content, at.Line)
	}
	text := strings.TrimSpace(yaml.FormatError(err, false, false))
	if e, ok := errors.AsType[yaml.Error](err); ok && e.GetToken() != nil {
		text += excerpt(content, e.GetToken().Position.Line)
	}
	return text
}

// wanted is what a value of a kind is written as.
func wanted(kind reflect.Kind) string {
	switch kind {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Float64:
		return "a number"
	default:
		return "text"
	}
}

// The environment variables; lists are separated by spaces.
const (
	EnvTarget      = "APM_SIDECAR_TARGET"
	EnvInterval    = "APM_SIDECAR_INTERVAL"
	EnvListen      = "APM_SIDECAR_LISTEN"
	EnvDataDir     = "APM_SIDECAR_DATA_DIR"
	EnvRemoteWrite = "APM_SIDECAR_REMOTE_WRITE"
	EnvConfig      = "APM_SIDECAR_CONFIG"
)

// ApplyEnv overrides what the environment sets; empty variables count as unset.
func (c *Config) ApplyEnv(getenv func(string) string) error {
	if v := strings.Fields(getenv(EnvTarget)); len(v) > 0 {
		c.SetTargets(v)
	}
	if v := getenv(EnvInterval); v != "" {
		if err := c.Interval.Set(v); err != nil {
			return fmt.Errorf("%s: %w", EnvInterval, err)
		}
	}
	if v := getenv(EnvListen); v != "" {
		c.Listen = v
	}
	if v := getenv(EnvDataDir); v != "" {
		c.DataDir = v
	}
	if v := strings.Fields(getenv(EnvRemoteWrite)); len(v) > 0 {
		c.SetRemoteWrite(v)
	}
	return nil
}

// SetTargets replaces all targets by URLs.
func (c *Config) SetTargets(urls []string) {
	c.Targets = nil
	for _, u := range urls {
		c.Targets = append(c.Targets, Target{URL: u})
	}
}
