package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Duration is a time.Duration written as Go writes it, "1m30s", or in whole days,
// "30d".
type Duration time.Duration

// UnmarshalText reads the written form.
func (d *Duration) UnmarshalText(text []byte) error {
	s := string(text)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return fmt.Errorf("%q is no number of days; write it like 30d", s)
		}
		*d = Duration(time.Duration(n) * 24 * time.Hour)
		return nil
	}
	parsed, err := time.ParseDuration(s)
	if err != nil {
		return fmt.Errorf("%q is no duration; write it like 10s, 1m30s or 30d", s)
	}
	*d = Duration(parsed)
	return nil
}

// String is the written form.
func (d Duration) String() string { return time.Duration(d).String() }

// Set is UnmarshalText, for flags.
func (d *Duration) Set(s string) error { return d.UnmarshalText([]byte(s)) }

// Type is the word that help texts use, for flags.
func (*Duration) Type() string { return "duration" }
