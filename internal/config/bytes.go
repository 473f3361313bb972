package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// Bytes is a size written as a number of bytes or with a binary unit, "64MiB".
type Bytes int64

// UnmarshalText reads the written form.
func (b *Bytes) UnmarshalText(text []byte) error {
	s := strings.TrimSpace(string(text))
	number, shift := s, 0
	for i, suffix := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if rest, ok := strings.CutSuffix(s, suffix); ok {
			number, shift = strings.TrimSpace(rest), 10*(i+1)
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64>>shift {
		return fmt.Errorf("%q is no size; write it like 64MiB or 1GiB", s)
	}
	*b = Bytes(n << shift)
	return nil
}

// String is the form for people.
func (b Bytes) String() string { return unit.Bytes(int64(b)) }

// Set is UnmarshalText, for flags.
func (b *Bytes) Set(s string) error { return b.UnmarshalText([]byte(s)) }

// Type is the word that help texts use, for flags.
func (*Bytes) Type() string { return "size" }
