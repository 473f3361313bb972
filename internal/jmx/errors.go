package jmx

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"

	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// The reasons why a request gave nothing. They are the values of the reason
// label of apm_sidecar_poll_errors_total; an HTTP status gives "http_" and its
// code.
const (
	ReasonDial         = "dial"
	ReasonTLS          = "tls"
	ReasonTimeout      = "timeout"
	ReasonTooLarge     = "too_large"
	ReasonTruncated    = "truncated"
	ReasonDecode       = "decode"
	ReasonDenied       = "denied"
	ReasonBulkRejected = "bulk_rejected"
	ReasonCredentials  = "credentials"
	ReasonNoPart       = "no_part"
	ReasonOperation    = "operation"
	ReasonOther        = "other"
)

// ErrUnsupported says that the JVM has no such operation: another vendor's, or
// an older one.
var ErrUnsupported = errors.New("the JVM has no such operation")

// errTooLarge is an answer beyond maxAnswerBytes, or of too many values.
var errTooLarge = errors.New("answer too large")

// errNoHTTP is an answer that breaks HTTP's rules.
var errNoHTTP = errors.New("whoever answers there does not speak HTTP as it should; is it the agent's port?")

// errSilent is an end of the connection before anything of an answer.
var errSilent = errors.New("no answer")

// tlsAlert is how net/http shows the begin of what a server of TLS answers to plain HTTP: a record
// of type alert (RFC 8446, 5.1).
const tlsAlert = `"\x15\x03`

// notHTTP marks what net/http's parsers say of an answer, and leaves all else as it is.
func notHTTP(err error) error {
	var network net.Error
	others := []error{nil, io.EOF, io.ErrUnexpectedEOF, errTooLarge, errHeaderTooLong}
	if slices.ContainsFunc(others, func(other error) bool { return errors.Is(err, other) }) || errors.As(err, &network) {
		return err
	}
	return fmt.Errorf("%w %w", errNoHTTP, err)
}

// Error is a request that gave nothing.
type Error struct {
	// Reason is one of the Reason constants, or "http_" and a status code.
	Reason string
	Err    error
}

// Error is the cause with a hint what to do where there is one.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }

// Reason is the reason inside err, ReasonOther if there is none.
func Reason(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	return ReasonOther
}

// transportError classifies what the HTTP client returned instead of an answer.
func transportError(err error) *Error {
	var (
		dial      *net.OpError
		timeout   net.Error
		unknownCA x509.UnknownAuthorityError
		hostname  x509.HostnameError
		invalid   x509.CertificateInvalidError
		record    tls.RecordHeaderError
	)
	if ours, ok := errors.AsType[*Error](err); ok {
		return ours
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return &Error{ReasonTimeout, fmt.Errorf("the agent did not answer in time: %w", err)}
	case errors.Is(err, errTooLarge):
		return &Error{ReasonTooLarge, fmt.Errorf("the agent's answer is longer than %d bytes", maxAnswerBytes)}
	case errors.As(err, &unknownCA):
		return &Error{ReasonTLS, fmt.Errorf("name the authority of the agent's certificate in tls_config.ca_file: %w", err)}
	case errors.As(err, &hostname):
		return &Error{ReasonTLS, fmt.Errorf("the agent's certificate is for another name; tls_config.server_name says which: %w", err)}
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return &Error{ReasonTLS, fmt.Errorf("the agent does not speak TLS; is it http://? %w", err)}
	case errors.As(err, &dial) && dial.Op == "remote error":
		return &Error{ReasonTLS, fmt.Errorf("the agent breaks off; does it want a certificate (tls_config.cert_file)? %w", err)}
	case errors.As(err, &invalid):
		return &Error{ReasonTLS, err}
	case errors.As(err, &dial) && dial.Op == "dial":
		return &Error{ReasonDial, fmt.Errorf("nobody answers there; is the Jolokia agent running? %w", err)}
	case errors.Is(err, errHeaderTooLong):
		return &Error{ReasonTooLarge, err}
	case errors.Is(err, errNoHTTP) && strings.Contains(err.Error(), tlsAlert):
		return &Error{ReasonTLS, errors.New("whoever answers there speaks TLS; is it https://?")}
	case errors.Is(err, errNoHTTP):
		return &Error{ReasonDecode, err}
	case errors.Is(err, errSilent):
		return &Error{ReasonTruncated, fmt.Errorf("the agent hung up without a word; is it https://, or does its JVM just end? %w", err)}
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return &Error{ReasonTruncated, fmt.Errorf("the agent hung up in mid-answer: %w", err)}
	}
	return &Error{ReasonOther, err}
}

// statusError explains an HTTP status other than 200. The header is that of the answer.
func statusError(code int, header http.Header) *Error {
	hint := ""
	switch code {
	case 301, 302, 303, 307, 308:
		hint = ", a redirect" + leadsTo(header) + ", which is not followed; give the URL that it leads to, with its scheme; " +
			"if it is a page to log in on, have basic authentication taken on the agent's path, and give the target username and password_file"
	case 401:
		hint = "; give the target username and password_file (or bearer_token_file) in the configuration; if it has them, they are not the agent's, " +
			"or what guards it wants a CSRF token with every POST (Spring Security does)"
	case 403:
		hint = "; the agent's policy (jolokia-access.xml) must allow POST, read and this host; where a login guards the agent, give the target its username and password_file; " +
			"and it must want no CSRF token (Spring Security does)"
	case 404:
		hint = "; the path is not the agent's: it usually ends in /jolokia/ or, where management.endpoints.web.exposure.include of Spring Boot names jolokia, in /actuator/jolokia/"
	case 405, 501:
		hint = "; whoever answers there is no Jolokia agent, or takes no POST"
	case 502, 503, 504:
		hint = "; a proxy or server before the agent answers in its place: is the application up?"
	}
	return &Error{fmt.Sprintf("http_%d", code), fmt.Errorf("the agent answered HTTP status %d%s", code, hint)}
}

// leadsTo is where a redirect leads to, without its query, which may hold a secret.
func leadsTo(header http.Header) string {
	u, err := url.Parse(header.Get("Location"))
	if err != nil || u.Path+u.Host == "" {
		return ""
	}
	return " to " + clip((&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String())
}

// clip shortens an agent's own words for an error or a log line, keeps them to one
// line, and has no terminal obey them.
func clip(s string) string {
	const limit = 200
	s = unit.Printable(strings.Join(strings.Fields(strings.ToValidUTF8(s, "?")), " "))
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "") + "..."
	}
	return s
}
