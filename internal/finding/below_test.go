package finding_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// TestBelowAreNoLinks has messages in a list of the broker's own: each of its links retains more than the
// message in it, which is what people know.
func TestBelowAreNoLinks(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	message := j.Class("com.acme.Message", j.Object, hproftest.Ref("body"))
	holder := j.Class("com.acme.Mailbox$MessageHolder", j.Object, hproftest.Ref("message"))
	holders := make([]*hproftest.Object, 1500)
	for i := range holders {
		holders[i] = j.New(holder).Set("message", j.New(message).Set("body", j.Bytes(make([]byte, 1000))))
	}
	mailbox := j.Class("com.acme.Mailbox", j.Object, hproftest.Ref("holders"))
	j.Class("com.acme.Broker", j.Object).Static("BOX", j.New(mailbox).Set("holders", j.Array(j.Objects, holders...)))
	f := only(t, "big-retainer", detect(t, j))
	assert.Contains(t, f.Summary, "Below it lie 1,500 com.acme.Message.")
}
