package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml"
)

// maxFileBytes bounds a configuration file.
const maxFileBytes = 1 << 20

// Load reads the file over the defaults. Errors name the file, the line and the
// column. It does not validate.
func Load(file string) (Config, error) {
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
	c := Default()
	err = yaml.NewDecoder(bytes.NewReader(content), yaml.Strict()).Decode(&c)
	if errors.Is(err, io.EOF) || c.isZero() {
		return Default(), nil // no document: the decoder may have zeroed c
	}
	if err != nil {
		return Config{}, fmt.Errorf("configuration %s: %s", file, describe(err))
	}
	return c, nil
}

// isZero tells a Config that even lost its defaults.
func (c Config) isZero() bool { return reflect.ValueOf(c).IsZero() }

// describe is the place and the message of a YAML error without the source it
// quotes, which may hold a URL with a password.
func describe(err error) string {
	return strings.TrimSpace(yaml.FormatError(err, false, false))
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
		c.RemoteWrite = v
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
