package push

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// outcome is what an answer means for the batch.
type outcome int

const (
	// accepted: the receiver has it.
	accepted outcome = iota
	// repack: the receiver does not read zstd; try snappy.
	repack
	// again: keep it and try later. Whatever may be cured by an operator belongs
	// here: a wrong path, a proxy's page, missing rights.
	again
	// never: the receiver judged the samples themselves and refused them.
	never
)

// judge reads an HTTP answer. packed says whether the request was zstd; body is
// the beginning of the answer.
//
// VictoriaMetrics answers 400 to a wrong path, and a proxy may answer with any
// status, so only statuses that judge the payload lose samples.
func judge(status int, packed bool, body string) outcome {
	switch {
	case status/100 == 2:
		return accepted
	case strings.Contains(body, "unsupported path requested"):
		return again
	case packed && (status == http.StatusBadRequest || status == http.StatusUnsupportedMediaType):
		return repack
	}
	switch status {
	case http.StatusBadRequest, http.StatusConflict, http.StatusRequestEntityTooLarge,
		http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		return never
	default:
		return again
	}
}

// outOfOrder tells from the text of a refusal that the receiver has newer samples of the
// series, in the words of Prometheus, Thanos, Cortex and Mimir.
func outOfOrder(body string) bool {
	body = strings.ToLower(body)
	return strings.Contains(body, "out of order") || strings.Contains(body, "out-of-order")
}

// gatewayError tells statuses a proxy gives when the receiver behind it is gone: 502 and 504,
// and of HAProxy, Kubernetes' ingresses and vmauth (with a request of more than 16 KB) 503.
func gatewayError(status int) bool {
	return status == http.StatusBadGateway || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout
}

// retryAfterMax bounds what a receiver may ask for. vmagent obeys whatever it is: then one wrong
// answer, of a proxy perhaps, would cost what the queue cannot hold.
const retryAfterMax = 10 * time.Minute

// retryAfter reads the header of that name, seconds or a date, up to retryAfterMax.
func retryAfter(header string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(strings.TrimSpace(header)); err == nil {
		return time.Duration(min(max(seconds, 0), int(retryAfterMax/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil {
		return min(max(at.Sub(now), 0), retryAfterMax)
	}
	return 0
}
