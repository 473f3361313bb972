//go:build !linux

package hprof

import (
	"errors"
	"os"
)

// diskSpace is not known here: the disk is taken until it is full.
func diskSpace(*os.File) (free, all int64, err error) { return 0, 0, errors.ErrUnsupported }
