package jmx

import (
	"encoding/base64"
	"fmt"
	"os"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// maxSecretBytes bounds a file with a password or a token.
const maxSecretBytes = 64 << 10

// authorization is the header for the credentials, empty without any.
func authorization(c jvm.Credentials) (string, error) {
	switch {
	case c.Username != "":
		password := c.Password
		if c.PasswordFile != "" {
			var err error
			if password, err = secret(c.PasswordFile); err != nil {
				return "", fmt.Errorf("read the target's password: %w", err)
			}
		}
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(c.Username+":"+password)), nil
	case c.BearerTokenFile != "":
		token, err := secret(c.BearerTokenFile)
		if err != nil {
			return "", fmt.Errorf("read the target's token: %w", err)
		}
		return "Bearer " + token, nil
	}
	return "", nil
}

// secret is the content of a file without the end of its line.
func secret(file string) (string, error) {
	info, err := os.Stat(file)
	if err == nil && info.Size() > maxSecretBytes {
		err = fmt.Errorf("%s has %d bytes, which is no password or token", file, info.Size())
	}
	if err != nil {
		return "", err
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	return strings.TrimRight(string(content), "\r\n"), nil
}
