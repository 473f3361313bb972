package alert

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// peer answers requests in the test's own time.
type peer func(r *http.Request, body string) (status int, err error)

// Do implements Doer.
func (p peer) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	status, err := p(r, string(body))
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(""))}, nil
}

// senderTo tells p.
func senderTo(kind Kind, p peer) *sender {
	return &sender{
		receiver: Receiver{Kind: kind, Name: "peer", URL: "http://peer/secret", Client: p},
		policy:   Policy{GroupBy: []string{"instance"}, Interval: time.Minute, Repeat: time.Hour},
		log:      slog.New(slog.DiscardHandler), sent: &metrics.Counter{}, failed: &metrics.Counter{}, told: map[string]*Told{},
	}
}

// fires is a book in which a rule fires for n JVMs now.
func fires(n int) *book {
	b := newBook(nobodyWaits)
	var found []Alert
	for i := range n {
		a := alertOf("Down", fmt.Sprintf("%03d", i), "critical", Active, 0)
		a.FiredAt = time.Now()
		found = append(found, a)
	}
	b.Observe(ruleOf("Down"), found, nil, time.Now())
	return b
}

func TestASlowWebhookIsToldWhatIsTrueThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := fires(10)
		var told []string
		s := senderTo(Webhook, func(_ *http.Request, body string) (int, error) {
			var m webhookMessage
			if err := json.Unmarshal([]byte(body), &m); err != nil {
				return 0, err
			}
			told = append(told, m.Status+" "+m.GroupLabels["instance"])
			time.Sleep(3 * time.Second)
			b.Observe(ruleOf("Down"), nil, nil, time.Now())
			return http.StatusOK, nil
		})
		s.tell(t.Context(), b, time.Now())
		assert.Equal(t, []string{"firing 000", "firing 001"}, told[:min(len(told), 2)])
		_, changed := s.state()
		assert.True(t, changed, "it is kept for the next start")
		assert.Less(t, len(told), 5, "what ended long ago is told as if it were not: %q", told)
		told = nil
		time.Sleep(2 * time.Minute)
		s.tell(t.Context(), b, time.Now())
		require.NotEmpty(t, told)
		assert.Equal(t, "resolved 000", told[0])
		assert.Empty(t, s.told)
	})
}

func TestARefusedBatchHoldsUpNoOtherOfAnAlertmanager(t *testing.T) {
	b := fires(2*amBatch + 1)
	known := map[string]bool{}
	s := senderTo(Alertmanager, func(_ *http.Request, body string) (int, error) {
		var list []amAlert
		if err := json.Unmarshal([]byte(body), &list); err != nil {
			return 0, err
		}
		status := http.StatusOK
		for _, a := range list {
			if a.Labels["instance"] == "300" {
				status = http.StatusBadRequest
				continue
			}
			known[a.Labels["instance"]] = true
		}
		return status, nil
	})
	now := time.Now()
	s.tell(t.Context(), b, now)
	assert.Len(t, known, 2*amBatch)
	require.ErrorIs(t, s.status(), errRefused)
	clear(known)
	s.tell(t.Context(), b, now.Add(refusedRetry))
	assert.Len(t, known, 2*amBatch, "before the Alertmanager takes them for over")
}

// ends are when an Alertmanager takes each alert for over, by instance.
type ends map[string]time.Time

// takes notes what it is told.
func (e ends) takes(body string) (int, error) {
	var list []amAlert
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		return 0, err
	}
	for _, a := range list {
		e[a.Labels["instance"]] = a.EndsAt
	}
	return http.StatusOK, nil
}

// runFor does what run does.
func runFor(t *testing.T, d time.Duration, s *sender, b *book) {
	t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(lookInterval) {
		s.tell(t.Context(), b, time.Now())
	}
}

// An Alertmanager hears of each change at once, and each minute that all is as it was.
func TestAnAlertmanagerHearsOfAChangeAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		requests := 0
		s := senderTo(Alertmanager, func(*http.Request, string) (int, error) {
			requests++
			return http.StatusOK, nil
		})
		b := fires(1)
		runFor(t, 10*time.Second, s, b)
		assert.Equal(t, 1, requests)
		b.Observe(ruleOf("Down"), nil, nil, time.Now())
		runFor(t, lookInterval, s, b)
		assert.Equal(t, 2, requests)
		runFor(t, 2*resend+lookInterval, s, b)
		assert.Equal(t, 4, requests)
		_, changed := s.state()
		assert.True(t, changed, "not by the last of them, but not kept yet")
	})
}

// What fires is over for an Alertmanager that hears nothing for five minutes: one that
// answers again before that has not waited for so long.
func TestAnAlertmanagerThatWasAwayTakesNothingForOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, known := time.Now(), ends{}
		s := senderTo(Alertmanager, func(_ *http.Request, body string) (int, error) {
			if away := time.Since(began); 70*time.Second < away && away < 290*time.Second {
				return http.StatusInternalServerError, nil
			}
			return known.takes(body)
		})
		var log bytes.Buffer
		s.log = slog.New(slog.NewTextHandler(&log, nil))
		b := fires(1)
		for time.Since(began) < 15*time.Minute {
			runFor(t, time.Second, s, b)
			require.True(t, known["000"].After(time.Now()), "after %s", time.Since(began))
		}
		assert.Equal(t, 1, strings.Count(log.String(), "cannot be told"))
		assert.Equal(t, 1, strings.Count(log.String(), `"a receiver of alerts can be told again" receiver=peer failed_attempts=`), log.String())
	})
}

// A receiver that is away for a day is asked again in growing pauses, and at last each five minutes.
func TestAReceiverThatIsAwayIsAskedSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []time.Time
		s := senderTo(Webhook, func(*http.Request, string) (int, error) {
			asked = append(asked, time.Now())
			return http.StatusServiceUnavailable, nil
		})
		runFor(t, 24*time.Hour, s, fires(1))
		require.Greater(t, len(asked), 200)
		for i, at := range asked[1:] {
			require.Equal(t, min(firstRetry<<min(i, 10), lastRetry), at.Sub(asked[i]), "pause %d", i)
		}
	})
}

// An Alertmanager that was started again knows by its own log what it told, and waits for
// the end of it.
func TestAnEndIsToldHoweverLongAnAlertmanagerWasAwayAndAfterARestart(t *testing.T) {
	for name, end := range map[string][]Alert{"over": nil, "pending again": {alertOf("Down", "000", "critical", Pending, 0)}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				away, known, requests := false, ends{}, 0
				s := senderTo(Alertmanager, func(_ *http.Request, body string) (int, error) {
					if away {
						return 0, io.ErrUnexpectedEOF
					}
					requests++
					return known.takes(body)
				})
				b := fires(1)
				runFor(t, 10*time.Second, s, b)
				away = true
				runFor(t, time.Minute, s, b)
				ended := time.Now().UTC()
				for i := range end {
					end[i].Since = ended
				}
				b.Observe(ruleOf("Down"), nil, nil, ended)
				b.Observe(ruleOf("Down"), end, nil, ended)
				awaited := map[string]bool{}
				s.awaits(awaited)
				assert.Len(t, awaited, 1)
				runFor(t, time.Hour, s, b)
				told, changed := s.state()
				assert.True(t, changed, "it is kept for the next start")
				_, changed = s.state()
				assert.False(t, changed, "and once is enough")
				s = senderTo(Alertmanager, s.receiver.Client.(peer))
				s.told = told
				away = false
				runFor(t, 2*time.Minute, s, b)
				assert.Equal(t, ended, known["000"])
				enough := requests
				runFor(t, time.Hour, s, b)
				assert.Equal(t, enough, requests, "once is enough, after so long")
				told, _ = s.state()
				assert.Empty(t, told[ungrouped].Firing)
			})
		})
	}
}

// An Alertmanager answers 400 to what ends before it starts.
func TestNoAlertEndsBeforeItStarts(t *testing.T) {
	a := alertOf("Down", "a", "critical", Active, 3600) // and then the clock was set back
	assert.Equal(t, at(300), amAlertOf(&a, "", at(300)).StartsAt)
	a.State, a.CompletedAt = Completed, at(10)
	assert.Equal(t, at(10), amAlertOf(&a, "", time.Time{}).StartsAt)
	a.FiredAt = at(5)
	assert.Equal(t, at(5), amAlertOf(&a, "", time.Time{}).StartsAt)
}

func TestAReceiversFailureIsToldInWords(t *testing.T) {
	for want, p := range map[string]peer{
		"no answer within 10s": func(r *http.Request, _ string) (int, error) {
			<-r.Context().Done()
			return 0, context.Cause(r.Context())
		},
		"status 302: it points to another address, which is not followed; configure that one": func(*http.Request, string) (int, error) {
			return http.StatusFound, nil
		},
		`status 503: ""`: func(*http.Request, string) (int, error) { return http.StatusServiceUnavailable, nil },
	} {
		synctest.Test(t, func(t *testing.T) {
			s := senderTo(Webhook, p)
			s.tell(t.Context(), fires(1), time.Now())
			assert.EqualError(t, s.status(), want)
		})
	}
}

// A secret that is renewed may be away, or empty, for a moment: the message waits for it.
func TestAnAddressInAFileThatIsAwayForAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "url")
		sent := 0
		s := senderTo(Webhook, func(*http.Request, string) (int, error) {
			sent++
			return http.StatusOK, nil
		})
		s.receiver.URLFile = file
		b := fires(1)
		s.tell(t.Context(), b, time.Now())
		require.ErrorContains(t, s.status(), "no such file")
		require.NoError(t, os.WriteFile(file, nil, 0o600))
		time.Sleep(firstRetry)
		s.tell(t.Context(), b, time.Now())
		require.ErrorContains(t, s.status(), file+" holds no http or https URL")
		require.NoError(t, os.WriteFile(file, []byte("http://peer/hush\n"), 0o600))
		time.Sleep(2 * firstRetry)
		s.tell(t.Context(), b, time.Now())
		require.NoError(t, s.status())
		assert.Equal(t, 1, sent)
	})
}
