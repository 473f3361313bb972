//go:build !unix

package term

import "os"

// Asked returns a channel that never gets a value: there is no signal to ask by.
func Asked() <-chan os.Signal { return nil }
