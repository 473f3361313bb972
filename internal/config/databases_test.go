package config_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/apm-sidecar/apm-sidecar/internal/config"
)

func TestDatabases(t *testing.T) {
	t.Parallel()
	f := func(d config.Database, want string) {
		t.Helper()
		c := config.Default()
		c.Targets = []config.Target{{URL: "http://h/"}}
		c.Databases = []config.Database{d}
		err := c.Validate()
		if want == "" {
			assert.NoError(t, err)
			return
		}
		assert.ErrorContains(t, err, "databases[0] "+want)
		assert.NotContains(t, err.Error(), "hush")
	}
	f(config.Database{URL: "postgres://apm@db:5432/shop"}, "")
	f(config.Database{URL: "postgresql://apm:hush@db/shop"}, "")
	f(config.Database{URL: "mysql://apm:hush@db/"}, "")
	f(config.Database{URL: "mariadb://apm@db:3307/?ssl-mode=VERIFY_IDENTITY"}, "")
	f(config.Database{URL: "mysql://apm:hush@db/?ssl-mode=preferred"}, `has an ssl-mode of "preferred"`)
	f(config.Database{URL: "mysql://apm:hush@db/?ssl-ca=/nonexistent"}, "has no ssl-ca to read: open /nonexistent")
	f(config.Database{URL: "oracle://apm:hush@db/shop"}, `has a URL of "oracle"`)
	f(config.Database{URL: "postgres://db/shop"}, "has no URL such as")
	f(config.Database{URL: "apm:hush@db"}, "has no URL such as")
	f(config.Database{URL: "postgres://apm:hush@db/", PasswordFile: "/p"}, "has a password in its URL and a password_file")
	f(config.Database{URL: "postgres://apm@db/", PasswordFile: "/nonexistent"}, "password_file: open /nonexistent")
}
