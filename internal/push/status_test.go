package push

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestJudge(t *testing.T) {
	const wrongPath = "remoteAddr: ..; unsupported path requested: \"/api/v2/write\""
	for _, c := range []struct {
		status int
		packed bool
		body   string
		want   outcome
	}{
		{200, true, "", accepted},
		{204, true, "", accepted},
		{204, false, "", accepted},
		{400, true, "snappy: corrupt input", repack},
		{415, true, "", repack},
		{400, false, "out of order sample", never},
		{415, false, "", never},
		{400, true, wrongPath, again},
		{400, false, wrongPath, again},
		{409, true, "", never},
		{413, true, "", never},
		{422, false, "", never},
		{301, true, "", again},
		{401, true, "", again},
		{403, false, "", again},
		{404, true, "", again},
		{405, true, "", again},
		{408, false, "", again},
		{429, true, "", again},
		{500, true, "", again},
		{503, false, "", again},
	} {
		assert.Equal(t, c.want, judge(c.status, c.packed, c.body), "%+v", c)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"":                              0,
		"soon":                          0,
		"7":                             7 * time.Second,
		"-7":                            0,
		"601":                           10 * time.Minute,
		"9999999999":                    10 * time.Minute,
		"Sat, 21 Nov 2026 12:00:30 GMT": 30 * time.Second,
		"Sat, 21 Nov 2026 11:00:00 GMT": 0,
		"Sun, 21 Nov 2027 12:00:00 GMT": 10 * time.Minute,
	} {
		assert.Equal(t, want, retryAfter(header, now), header)
	}
}

func TestOutOfOrder(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]bool{
		"out of order sample\n": true, // Prometheus
		"store locally for endpoint: conflict: add 1 samples: out of order sample":                                                                     true, // Thanos
		"failed pushing to ingester: the sample has been rejected because another sample with a more recent timestamp (err-mimir-sample-out-of-order)": true,
		"out of bounds":                  false,
		"duplicate sample for timestamp": false,
	} {
		assert.Equal(t, want, outOfOrder(body), body)
	}
}
