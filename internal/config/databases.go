package config

import (
	"errors"
	"fmt"

	"github.com/apm-sidecar/apm-sidecar/internal/database"
)

// Database is a login for monitoring, by which the sidecar asks a database what the
// sessions of slow transactions do.
type Database struct {
	// Name is what records call the database; its host and port if empty.
	Name string `yaml:"name"`
	// URL is such as postgres://user@host:5432/database?sslmode=require or
	// mysql://user@host:3306/?ssl-mode=required.
	URL string `yaml:"url"`
	// PasswordFile has the password; it is read again for each connection.
	PasswordFile string `yaml:"password_file"`
}

// maxDatabases bounds the logins of one sidecar.
const maxDatabases = 100

// fault is what stands against the login; it shows no URL.
func (d Database) fault() error {
	u, err := database.ParseURL(d.URL)
	if err != nil {
		return err
	}
	if _, has := u.User.Password(); has && d.PasswordFile != "" {
		return errors.New("has a password in its URL and a password_file")
	}
	return readable("password_file", d.PasswordFile)
}

func databaseFaults(databases []Database) []error {
	var errs []error
	if len(databases) > maxDatabases {
		errs = append(errs, fmt.Errorf("%d databases are more than %d", len(databases), maxDatabases))
	}
	for i, d := range databases {
		if err := d.fault(); err != nil {
			errs = append(errs, fmt.Errorf("databases[%d] %w", i, err))
		}
	}
	return errs
}
