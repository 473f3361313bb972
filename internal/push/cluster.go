package push

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// A cluster's vminsert passes samples on to its vmstorages, which keep fresh ones in memory.
// One of them may be killed, and lose them, while the connection to vminsert holds: that alone
// tells nothing. But vminsert counts, among its metrics, the connections to vmstorages that
// broke as it passed something on (app/vminsert/netstorage, sendBufRowsNonblocking). As long as
// that stays as it is, what was passed on last has found each vmstorage to be the one that has
// what came before.

const (
	// passTime is how long vminsert may take to pass on what it accepted: 200 ms, and some.
	passTime = time.Second
	// askInterval is the time between two questions while samples flow.
	askInterval = 5 * time.Second
	askTimeout  = 5 * time.Second
	// maxMetricsBytes bounds the metrics that are read; vminsert has some 30 KB of them.
	maxMetricsBytes = 4 << 20
	// brokenPrefix begins the lines that count them, one or more for each vmstorage.
	brokenPrefix = `vm_rpc_connection_errors_total{name="vminsert"`
	startedName  = "vm_app_start_timestamp"
)

// storages watches the vmstorages behind a vminsert.
type storages struct {
	// url is that of vminsert's metrics.
	url string
	// heldAt is when they were last seen to have what was accepted before; zero where vminsert
	// does not tell.
	heldAt time.Time
	// told is the last answer.
	told vminsert
	// passedAt is when the first batch was sent since then, zero for none.
	passedAt, askedAt time.Time
	// last is the last batch that was accepted.
	last Batch
}

// vminsert is what one tells of itself; the zero value is one that does not.
type vminsert struct {
	// id is its host and when it was started: behind one address there may be several.
	id string
	// broken is how many connections to vmstorages have broken.
	broken float64
}

// watchStorages is nil for a URL that is no vminsert's, which is PREFIX/insert/TENANT/...
func watchStorages(u url.URL) *storages {
	prefix, _, found := strings.Cut(u.Path, "/insert/")
	if !found {
		return nil
	}
	u.User, u.Path, u.RawPath, u.RawQuery, u.Fragment = nil, prefix+"/metrics", "", "", ""
	return &storages{url: u.String(), heldAt: time.Now()}
}

// deliverToCluster is Deliver for a vminsert. A batch without samples is the last one once
// more: with nothing to pass on vminsert would not notice who is gone.
func (d *remoteWrite) deliverToCluster(ctx context.Context, b Batch) (Receipt, error) {
	s := d.storages
	began := time.Now()
	lost, fresh := false, false
	if s.due(began, b.Samples == 0) {
		var now vminsert
		now, fresh = d.askVminsert(ctx)
		lost = s.heard(now)
	}
	if b.Samples == 0 {
		b = s.last
	}
	mayHaveRestarted := fresh && d.answered
	receipt, err := d.deliver(ctx, b)
	switch {
	case errors.Is(err, ErrRejected): // as the last one might be: what asks next is to be without samples
		s.last = Batch{}
	case err == nil && b.Samples > 0:
		s.last = Batch{append(s.last.Frame[:0], b.Frame...), b.Samples, b.packing}
		if s.passedAt.IsZero() {
			s.passedAt = began
		}
	}
	receipt.MayHaveRestarted = receipt.MayHaveRestarted || mayHaveRestarted || lost
	receipt.Lost, receipt.HeldAt = lost, s.heldAt
	return receipt, err
}

// due tells whether to ask: once to begin with, and then where something was passed on.
func (s *storages) due(now time.Time, probe bool) bool {
	if s.askedAt.IsZero() {
		return true
	}
	passed := !s.passedAt.IsZero() && now.Sub(s.passedAt) >= passTime
	return passed && (probe || now.Sub(s.askedAt) >= askInterval)
}

// heard notes an answer of vminsert, and tells whether a vmstorage has gone since the last one.
func (s *storages) heard(now vminsert) (lost bool) {
	switch {
	case s.askedAt.IsZero() && now.id != "": // what that means the next answer tells
	case now.id == "" || now.id != s.told.id:
		s.heldAt = time.Time{}
	default:
		s.heldAt = s.passedAt
		lost = now.broken != s.told.broken
	}
	s.told, s.passedAt, s.askedAt = now, time.Time{}, time.Now()
	return lost
}

// askVminsert asks the vminsert for what it tells, and whether that was over a new
// connection, or went wrong as it does where a vminsert is gone.
func (d *remoteWrite) askVminsert(ctx context.Context) (v vminsert, fresh bool) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) { fresh = !info.Reused },
	})
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.storages.url, nil)
	if err != nil {
		return vminsert{}, false
	}
	resp, err := d.client.Do(req)
	if err != nil {
		return vminsert{}, !errors.Is(err, errCredentials)
	}
	defer resp.Body.Close()
	body := io.LimitReader(resp.Body, maxMetricsBytes)
	if resp.StatusCode == http.StatusOK {
		v = readVminsert(body, resp.Header.Get("X-Server-Hostname"))
	}
	// A connection with an answer read to its end is used again.
	_, _ = io.Copy(io.Discard, body)
	return v, fresh || gatewayError(resp.StatusCode)
}

// readVminsert reads the metrics of the vminsert of a host.
func readVminsert(metrics io.Reader, host string) (v vminsert) {
	started, tells := "", false
	for lines := bufio.NewScanner(metrics); lines.Scan(); {
		name, value := lines.Text(), ""
		if at := strings.LastIndexByte(name, ' '); at >= 0 {
			name, value = name[:at], name[at+1:]
		}
		switch {
		case name == startedName:
			started = value
		case strings.HasPrefix(name, brokenPrefix):
			n, err := strconv.ParseFloat(value, 64)
			v.broken += n
			tells = err == nil
		}
	}
	if !tells || started == "" {
		return vminsert{}
	}
	v.id = host + " " + started
	return v
}
