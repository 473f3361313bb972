package alert

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// Kind is what a receiver understands.
type Kind string

// The kinds.
const (
	// Alertmanager groups, silences and passes on by itself: it is told of every alert,
	// again and again.
	Alertmanager Kind = "alertmanager"
	// Webhook gets one message for a group of alerts, in the form of an Alertmanager's
	// webhook (version 4).
	Webhook Kind = "webhook"
)

const (
	defaultTimeout = 10 * time.Second
	// maxReplyBytes is how much of an answer is read.
	maxReplyBytes = 4 << 10
	maxURLBytes   = 4 << 10
)

// errRefused is a receiver's word about the message itself: it may take others.
var errRefused = errors.New("the message is refused")

// Doer sends requests; *http.Client is one.
type Doer interface {
	Do(r *http.Request) (*http.Response, error)
}

// Receiver is told of alerts.
type Receiver struct {
	Kind Kind
	// Name tells the receiver from others in logs, metrics and the state that is kept. It
	// must hold nothing secret.
	Name string
	// URL is where to post; of an Alertmanager where its pages begin. With URLFile it is
	// read from that file each time: it may hold a token.
	URL, URLFile string
	// Client sends, with the credentials that are needed.
	Client Doer
	// Timeout bounds one request; zero means 10 s.
	Timeout time.Duration
}

// post sends body. Errors wrap errRefused where another message may be taken, and show
// neither the URL nor more than the beginning of the answer.
func (r *Receiver) post(ctx context.Context, body []byte) error {
	timeout := r.Timeout
	if timeout == 0 {
		timeout = defaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	target, err := r.target()
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return errors.New("no request can be built from the URL")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "apm-sidecar")
	resp, err := r.Client.Do(req)
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("no answer within %s", timeout)
		}
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err // without the URL
		}
		return err
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxReplyBytes))
	if resp.StatusCode/100 != 2 {
		err := fmt.Errorf("status %d: %s", resp.StatusCode, strconv.Quote(strings.TrimSpace(string(text[:min(len(text), 300)]))))
		switch resp.StatusCode {
		case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
			return fmt.Errorf("status %d: it points to another address, which is not followed; configure that one", resp.StatusCode)
		case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
			return fmt.Errorf("%w: %w", errRefused, err)
		}
		return err
	}
	return nil
}

// target is the URL to post to.
func (r *Receiver) target() (string, error) {
	raw := r.URL
	if r.URLFile != "" {
		f, err := os.Open(r.URLFile)
		if err != nil {
			return "", err
		}
		defer f.Close()
		text, err := io.ReadAll(io.LimitReader(f, maxURLBytes))
		if err != nil {
			return "", err
		}
		raw = strings.TrimSpace(string(text))
	}
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		if r.URLFile != "" {
			return "", fmt.Errorf("%s holds no http or https URL", r.URLFile)
		}
		return "", errors.New("the receiver's URL is no http or https URL")
	}
	if r.Kind == Alertmanager {
		u = u.JoinPath("api/v2/alerts")
	}
	return u.String(), nil
}
