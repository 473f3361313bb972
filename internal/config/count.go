package config

import (
	"fmt"
	"strconv"
)

// Count is a whole number. The YAML library would cut the fraction off another one.
type Count int

// UnmarshalText reads the written form.
func (c *Count) UnmarshalText(text []byte) error {
	n, err := strconv.Atoi(string(text))
	if err != nil {
		return fmt.Errorf("%q is no whole number", text)
	}
	*c = Count(n)
	return nil
}
