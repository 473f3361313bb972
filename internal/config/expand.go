package config

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// reference is an environment variable in the file: ${NAME} or, as vmagent writes
// it, %{NAME}. What relabelling calls ${1} is none.
var reference = regexp.MustCompile(`[$%]\{([A-Za-z_][A-Za-z0-9_]*)\}`)

// expand puts the values of environment variables into the text of a file, but not
// into comments on lines of their own. All that are not set are named in the error.
func expand(content string, getenv func(string) string) (string, error) {
	var errs []error
	lines := strings.SplitAfter(content, "\n")
	for i, line := range lines {
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		lines[i] = reference.ReplaceAllStringFunc(line, func(found string) string {
			name := reference.FindStringSubmatch(found)[1]
			value := getenv(name)
			switch {
			case value == "":
				errs = append(errs, fmt.Errorf("line %d: environment variable %s is not set", i+1, name))
			case strings.ContainsAny(value, "\r\n"):
				errs = append(errs, fmt.Errorf("line %d: environment variable %s has several lines", i+1, name))
			}
			return value
		})
	}
	return strings.Join(lines, ""), errors.Join(errs...)
}

// What an excerpt of the file does not show: names and passwords in URLs, their queries,
// and the values of fields that sound like secrets.
var (
	userInfo    = regexp.MustCompile(`://\S*@`) // with slashes: a password may have one that should be escaped
	urlQuery    = regexp.MustCompile(`(://[^\s?"']*\?)[^\s"']*`)
	secretValue = regexp.MustCompile(`(?i)((?:pass|pwd?|token|secret|credential|authorization|key)\w*["']?\s*:\s*).+`)
)

// excerpt shows a line of the file, counted from 1.
func excerpt(content string, line int) string {
	lines := strings.Split(content, "\n")
	if line < 1 || line > len(lines) {
		return ""
	}
	masked := userInfo.ReplaceAllString(strings.TrimRight(lines[line-1], "\r"), "://***@")
	masked = urlQuery.ReplaceAllString(masked, "$1***")
	text := []rune(secretValue.ReplaceAllString(masked, "$1***"))
	return fmt.Sprintf("\n  %4d | %s", line, string(text[:min(len(text), 160)]))
}
