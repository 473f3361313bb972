//go:build !linux

package store_test

import (
	"errors"
	"testing"
)

// smallDisk would be a file system of its own.
func smallDisk(t *testing.T, _ string) string {
	t.Skip("small disks are mounted on Linux alone")
	return ""
}

func fill(string) error { return errors.ErrUnsupported }
