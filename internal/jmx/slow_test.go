package jmx

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// The virtual machine of JDK 8 counts its versions from 25 on.
func TestJavaVersion(t *testing.T) {
	t.Parallel()
	for vm, want := range map[string]string{
		"25.504-b01":                "1.8.0_504-b01",
		"25.392-b08":                "1.8.0_392-b08",
		"25.0.3+9-LTS":              "25.0.3+9-LTS",
		"17.0.15+6-Debian-1deb12u1": "17.0.15+6-Debian-1deb12u1",
		"28-ea+18-1-Debian":         "28-ea+18-1-Debian",
		"openj9-0.43.0":             "openj9-0.43.0",
		"":                          "",
	} {
		assert.Equal(t, want, javaVersion(vm), vm)
	}
}
