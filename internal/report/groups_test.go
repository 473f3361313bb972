package report

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestPackageOf(t *testing.T) {
	f := func(class string, primitive bool, want string) {
		t.Helper()
		assert.Equal(t, want, PackageOf(class, primitive))
	}
	f("java.util.HashMap", false, "java.util")
	f("java.util.HashMap$Node[][]", false, "java.util")
	f("Main", false, "(default)")
	f("byte[]", true, "(primitive arrays)")
	f("com.acme.A$$Lambda.0x00007f4d3004a740", false, "com.acme")
	f("com.acme.A$$Lambda$14+0x00007f4d3004a740", false, "com.acme")
	f("A$$Lambda.0x00007f4d3004a740", false, "(default)")
	f("(unknown class 0x1000)", false, "(default)")
	f(".", false, "(default)")
	f("", false, "(default)")
}

func TestLoaderLabel(t *testing.T) {
	assert.Equal(t, "boot", LoaderRow{Loader: "boot"}.Label())
	assert.Equal(t, "0x10", LoaderRow{Loader: "0x10"}.Label())
	assert.Equal(t, "com.acme.L", LoaderRow{Loader: "0x10", Class: "com.acme.L"}.Label())
	assert.Equal(t, `com.acme.L "app"`, LoaderRow{Loader: "0x10", Class: "com.acme.L", Name: "app"}.Label())
}
