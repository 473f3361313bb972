package agent

import (
	"fmt"
	"hash/crc32"
	"regexp"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// nameTime is the layout of the time in the names of dumps and reports.
const nameTime = "20060102T150405Z"

// filePrefix is how the names of a target's files begin: in letters, digits, dots, dashes and
// underscores only, and with a checksum of its name, as job a-b, instance c and job a, instance
// b-c are the same without one.
func filePrefix(t jvm.Target) string {
	return fmt.Sprintf("%s-%08x", plainPrefix(t), crc32.ChecksumIEEE([]byte(t.Name())))
}

// plainPrefix is what earlier builds had for it.
func plainPrefix(t jvm.Target) string {
	return regexp.MustCompile(`[^A-Za-z0-9._-]+`).ReplaceAllString(t.Job+"-"+t.Instance, "_")
}

// filePattern matches the names of a target's dumps and reports up to the time in them, which is
// its only group.
func filePattern(t jvm.Target) string {
	return `^(?:` + regexp.QuoteMeta(filePrefix(t)) + `|` + regexp.QuoteMeta(plainPrefix(t)) + `)-(\d{8}T\d{6}Z)`
}
