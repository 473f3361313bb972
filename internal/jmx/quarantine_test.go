package jmx_test

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/jmx"
	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// refusing answers all bulks, with no values to speak of, but those that refuse picks, which get its
// status.
func refusing(refuse func(bulk []item) (status int)) func(http.ResponseWriter, *http.Request, []item) {
	return func(w http.ResponseWriter, r *http.Request, bulk []item) {
		if status := refuse(bulk); status != 0 {
			saying(status, "no")(w, r, bulk)
			return
		}
		_, _ = io.WriteString(w, "["+strings.TrimSuffix(strings.Repeat(`{"status":200,"value":{"ThreadCount":7,"ProcessCpuTime":1,"a:name=b":{"Name":"b","ActiveConnections":1}}},`, len(bulk)), ",")+"]")
	}
}

// asks tells whether a bulk asks for an MBean.
func asks(bulk []item, mbean string) bool {
	return slices.ContainsFunc(bulk, func(it item) bool { return it.MBean == mbean })
}

func TestAQuarantineEnds(t *testing.T) {
	t.Parallel()
	const required, optional = "java.lang:type=OperatingSystem", "com.zaxxer.hikari:*"
	for _, guilty := range []string{required, optional} {
		var innocent atomic.Bool
		agent := newFake(t, refusing(func(bulk []item) int {
			if asks(bulk, guilty) && !innocent.Load() {
				return 400
			}
			return 0
		}))
		c := client(t, agent.URL)
		poll := func(asked, missing bool, when string) {
			t.Helper()
			before := len(agent.asked())
			s, err := c.Poll(t.Context())
			require.NoError(t, err)
			assert.Equal(t, asked, asks(agent.asked()[before], guilty), "%s %s", guilty, when)
			told := slices.ContainsFunc(s.Missing, func(m jvm.Missing) bool { return m.Part == guilty })
			assert.Equal(t, missing, told, "%s %s", guilty, when)
		}
		poll(true, true, "at first")
		c.Age(jmx.QuarantineTime - time.Minute)
		poll(false, guilty == required, "in quarantine")
		c.Age(time.Minute)
		poll(true, true, "still guilty")
		c.Age(time.Minute)
		poll(false, guilty == required, "in quarantine again")
		innocent.Store(true)
		c.Age(jmx.QuarantineTime)
		poll(true, false, "innocent")
		poll(true, false, "from then on")
	}
}

// Who refuses each item is asked for all of them at the next poll: none of them is guilty.
func TestWhoRefusesEverythingIsToBlame(t *testing.T) {
	t.Parallel()
	var open atomic.Bool
	agent := newFake(t, refusing(func([]item) int {
		if open.Load() {
			return 0
		}
		return 400
	}))
	c := client(t, agent.URL)
	_, err := c.Poll(t.Context())
	require.Error(t, err)
	assert.Equal(t, jmx.ReasonBulkRejected, jmx.Reason(err))
	open.Store(true)
	before := len(agent.asked())
	s, err := c.Poll(t.Context())
	require.NoError(t, err)
	assert.Len(t, agent.asked()[before], jmx.PollItems())
	assert.Equal(t, int64(7), s.Threads.Current.Or(0))
}

// An agent that goes away while the guilty item is looked for has accused none.
func TestASearchThatIsCutShortAccusesNobody(t *testing.T) {
	t.Parallel()
	for _, at := range []int32{2, 3, 4} { // of the bulks: a half, a half of it, or the other half
		var asked atomic.Int32
		const guilty = "java.lang:type=Memory"
		agent := newFake(t, refusing(func(bulk []item) int {
			switch n := asked.Add(1); {
			case n == at:
				return 503
			case n < at && asks(bulk, guilty):
				return 400
			}
			return 0
		}))
		c := client(t, agent.URL)
		_, err := c.Poll(t.Context())
		require.Error(t, err, at)
		assert.Equal(t, "http_503", jmx.Reason(err), at)
		assert.Len(t, agent.asked(), int(at))
		_, err = c.Poll(t.Context())
		require.NoError(t, err, at)
		assert.Len(t, agent.asked()[at], jmx.PollItems(), at)
	}
}

// What a JVM does not have is asked for again now and then: a server may start late.
func TestWhatStartsLateIsFound(t *testing.T) {
	t.Parallel()
	const late = "com.zaxxer.hikari:*"
	answers := map[string]string{"java.lang:type=Threading": `{"status":200,"value":{"ThreadCount":7}}`}
	agent := newFake(t, func(w http.ResponseWriter, r *http.Request, bulk []item) { answering(answers)(w, r, bulk) })
	c := client(t, agent.URL)
	poll := func() (asked bool) {
		before := len(agent.asked())
		_, err := c.Poll(t.Context())
		require.NoError(t, err)
		return asks(agent.asked()[before], late)
	}
	assert.True(t, poll())
	c.Age(jmx.AbsentTime - time.Minute)
	assert.False(t, poll())
	c.Age(time.Minute)
	assert.True(t, poll())
}
