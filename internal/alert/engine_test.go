package alert

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/VictoriaMetrics/VictoriaMetrics/app/vmstorage"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/series"
	"github.com/apm-sidecar/apm-sidecar/internal/store"
)

// bench is an Engine over a real store, whose time the test moves.
type bench struct {
	*Engine
	t     *testing.T
	store *store.Store
	opts  Options
	hook  *hook
	now   time.Time
}

// hook is a webhook that remembers what it was told.
type hook struct {
	mu   sync.Mutex
	got  []webhookMessage
	fail bool
	// refused is a text in messages that it does not take, broken one that it fails on.
	refused, broken string
}

func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fail {
		http.Error(w, "not now", http.StatusBadGateway)
		return
	}
	var m webhookMessage
	body, err := io.ReadAll(r.Body)
	if err != nil || json.Unmarshal(body, &m) != nil {
		http.Error(w, "no message", http.StatusBadRequest)
		return
	}
	if h.refused != "" && strings.Contains(string(body), h.refused) {
		http.Error(w, "too long", http.StatusRequestEntityTooLarge)
		return
	}
	if h.broken != "" && strings.Contains(string(body), h.broken) {
		http.Error(w, "sorry", http.StatusInternalServerError)
		return
	}
	h.got = append(h.got, m)
}

// take returns what was told since the last call.
func (h *hook) take() []webhookMessage {
	h.mu.Lock()
	defer h.mu.Unlock()
	got := h.got
	h.got = nil
	return got
}

const testRules = `
groups:
  - name: test
    interval: 10s
    rules:
      - alert: Down
        expr: apm_sidecar_target_up == 0
        for: 30s
        labels: {severity: critical}
        annotations:
          summary: "{{ $labels.instance }} is down"
          link: "{{ $externalURL }}/vmui/"
      - alert: OldFull
        expr: jvm_memory_old_after_gc_ratio > 0.9
        labels: {severity: warning}
      - record: job:up:sum
        expr: sum by (job) (apm_sidecar_target_up)
`

func newBench(t *testing.T, rules string) *bench {
	t.Helper()
	s, err := store.Open(store.Options{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	b := &bench{t: t, store: s, hook: &hook{}, now: time.Now().Add(-time.Hour).Truncate(time.Second)}
	server := httptest.NewServer(b.hook)
	t.Cleanup(server.Close)
	b.opts = Options{
		Dir: filepath.Join(t.TempDir(), "alerts"), Query: s.Handler(), Sink: s, Rules: []string{folder(t, map[string]string{"rules.yml": rules})},
		ExternalURL: "http://here:8429", Policy: Policy{Wait: 20 * time.Second, Interval: time.Minute},
		Receivers: []Receiver{{Kind: Webhook, Name: "hook", URL: server.URL + "/secret", Client: server.Client()}},
	}
	b.start()
	t.Cleanup(func() { b.closeEvaluators() })
	return b
}

// start begins a new life of the engine.
func (b *bench) start() {
	b.t.Helper()
	if b.Engine != nil {
		require.NoError(b.t, b.save())
		b.closeEvaluators()
	}
	before := time.Now()
	e, err := New(b.opts)
	require.NoError(b.t, err)
	for _, ev := range e.evaluators {
		ev.next = b.now
		ev.keepUntil = b.now.Add(ev.keepUntil.Sub(before).Truncate(time.Second))
	}
	b.Engine = e
}

// write stores samples of a JVM as of now.
func (b *bench) write(instance string, up, ratio float64) {
	b.t.Helper()
	labels := []series.Label{{Name: "job", Value: "shop"}, {Name: "instance", Value: instance}}
	require.NoError(b.t, b.store.Write([]series.Sample{
		{Name: series.NameTargetUp, Labels: labels, TimeMs: b.now.UnixMilli(), Value: up},
		{Name: series.NameOldRatio, Labels: labels, TimeMs: b.now.UnixMilli(), Value: ratio},
	}))
	b.flush()
}

// flush makes written samples visible.
func (b *bench) flush() { vmstorage.Storage.DebugFlush() }

// pass lets ten seconds go by, evaluates and tells.
func (b *bench) pass() {
	b.t.Helper()
	b.now = b.now.Add(10 * time.Second)
	b.step(b.t.Context(), b.now)
	for _, s := range b.senders {
		s.tell(b.t.Context(), b.book, b.now)
	}
}

func (b *bench) states() string {
	var out []string
	for _, a := range b.Alerts() {
		out = append(out, a.Name()+" "+string(a.State))
	}
	return strings.Join(out, ", ")
}

func TestEngineTellsOfACauseOnceAndSurvivesRestarts(t *testing.T) {
	b := newBench(t, testRules)
	b.write("a:1", 0, 0.95)
	b.pass()
	assert.Equal(t, "OldFull active, Down pending", b.states())
	b.pass()
	b.start() // what is pending goes on to be
	b.pass()
	b.pass()
	assert.Equal(t, "Down active, OldFull active", b.states())
	got := b.hook.take()
	require.Len(t, got, 1, "one message, of what there was after the wait")
	b.pass()
	b.pass()
	got = append(got, b.hook.take()...)
	require.Len(t, got, 2, "something worse came")
	assert.Equal(t, statusFiring, got[1].Status)
	assert.Equal(t, map[string]string{"job": "shop", "instance": "a:1"}, got[1].GroupLabels)
	require.Len(t, got[1].Alerts, 2)
	assert.Equal(t, map[string]string{"summary": "a:1 is down", "link": "http://here:8429/vmui/"}, got[1].Alerts[0].Annotations)
	assert.Equal(t, "http://here:8429/alerts#"+got[1].Alerts[0].Fingerprint, got[1].Alerts[0].GeneratorURL)

	down := b.Alerts()[0]
	require.NoError(t, b.Acknowledge(down.ID, "kim", "on it"))
	b.start()
	assert.Equal(t, "OldFull active, Down acknowledged", b.states(), "before anything is evaluated")
	b.pass()
	assert.Equal(t, "OldFull active, Down acknowledged", b.states())
	assert.Equal(t, down.Since, b.Alerts()[1].Since)
	assert.Equal(t, down.FiredAt, b.Alerts()[1].FiredAt)
	assert.Empty(t, b.hook.take(), "the receiver knows")

	b.write("a:1", 1, 0.5)
	for range 8 {
		b.pass()
	}
	assert.Equal(t, "OldFull completed, Down completed", sorted(b.states()))
	got = b.hook.take()
	require.Len(t, got, 1)
	assert.Equal(t, statusResolved, got[0].Status)
	assert.Len(t, got[0].Alerts, 2)
}

// sorted puts the completed ones in one order: they ended at the same time.
func sorted(states string) string {
	if states == "Down completed, OldFull completed" {
		return "OldFull completed, Down completed"
	}
	return states
}

func TestEngineRecordsWhatRulesMake(t *testing.T) {
	b := newBench(t, testRules)
	b.write("a:1", 0, 0.5)
	b.write("b:1", 1, 0.5)
	b.pass()
	b.flush()
	for _, query := range []string{`job:up:sum{job="shop"} == 1`, `ALERTS{alertname="Down",alertstate="pending",instance="a:1"} == 1`} {
		r := httptest.NewRequest(http.MethodGet, "/api/v1/query", nil)
		q := r.URL.Query()
		q.Set("query", query)
		q.Set("time", b.now.Add(5*time.Second).Format(time.RFC3339))
		r.URL.RawQuery = q.Encode()
		w := httptest.NewRecorder()
		b.store.Handler().ServeHTTP(w, r)
		assert.Contains(t, w.Body.String(), `"value":[`, query)
	}
}

func TestEngineTriesAgainAndShowsNoSecret(t *testing.T) {
	b := newBench(t, testRules)
	b.hook.fail = true
	b.write("a:1", 1, 0.95)
	for range 4 {
		b.pass()
	}
	faults := strings.Join(b.Faults(), "\n")
	assert.Contains(t, faults, `receiver hook: status 502: "not now"`)
	b.hook.fail = false
	b.pass()
	assert.Len(t, b.hook.take(), 1)
	assert.Empty(t, b.Faults())

	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	r := Receiver{Kind: Webhook, URL: gone.URL + "/secret", Client: http.DefaultClient}
	err := r.post(t.Context(), nil)
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "secret")
}

func TestEngineGoesOnWithTheLastGoodRules(t *testing.T) {
	b := newBench(t, testRules)
	b.write("a:1", 1, 0.95)
	b.pass()
	assert.Equal(t, "OldFull active", b.states())
	file := filepath.Join(b.opts.Rules[0], "rules.yml")
	half := testRules[:strings.LastIndex(testRules, "      - ")] // it has rules, too
	require.NoError(t, os.WriteFile(file, []byte(half), 0o600))
	b.reread()
	require.NoError(t, os.WriteFile(file, []byte(testRules), 0o600))
	b.reread()
	assert.Equal(t, 3, b.Rules(), "half of a file")
	require.NoError(t, os.WriteFile(file, []byte("groups: ["), 0o600))
	b.reread()
	b.reread()
	assert.Contains(t, strings.Join(b.Faults(), ""), "the new rules are refused")
	b.pass()
	assert.Equal(t, "OldFull active", b.states())

	require.NoError(t, os.WriteFile(file, []byte(strings.ReplaceAll(testRules, "> 0.9", "> 0.8")), 0o600))
	fired := b.Alerts()[0].FiredAt
	b.reread()
	b.reread()
	assert.Empty(t, b.Faults())
	for _, ev := range b.evaluators {
		ev.next = b.now.Add(5 * time.Second)
	}
	b.step(t.Context(), b.now)
	assert.Equal(t, "OldFull active", b.states(), "its rule is another one, which has not been evaluated yet")
	b.pass()
	assert.Equal(t, "OldFull active", b.states())
	assert.Equal(t, fired, b.Alerts()[0].FiredAt, "the same alert by another rule")

	require.NoError(t, os.WriteFile(file, []byte("groups: []"), 0o600))
	b.reread()
	b.reread()
	b.pass()
	assert.Equal(t, "OldFull completed", b.states(), "its rule is gone")
}

func TestARuleThatFailsKeepsItsAlertsAndDisturbsNoOther(t *testing.T) {
	b := newBench(t, `
groups:
  - name: test
    rules:
      - {alert: Clash, expr: 'apm_sidecar_target_up == 0 and on (job) jvm_memory_old_after_gc_ratio * on (job) apm_sidecar_target_up'}
      - {alert: Down, expr: apm_sidecar_target_up == 0}
`)
	b.write("a:1", 0, 0.95)
	b.write("b:1", 0, 0.95)
	b.pass()
	assert.Equal(t, "Down active, Down active", b.states())
	faults := strings.Join(b.Faults(), "\n")
	assert.Contains(t, faults, "rule Clash of ")
	assert.NotContains(t, faults, "rule Down")
}

// The alerts of a rule that is gone end, though another rule has never been evaluated.
func TestARuleThatFailsKeepsNoOthersAlerts(t *testing.T) {
	b := newBench(t, `
groups:
  - name: test
    rules:
      - {alert: Clash, expr: 'apm_sidecar_target_up == 0 and on (job) jvm_memory_old_after_gc_ratio * on (job) apm_sidecar_target_up'}
`)
	more := filepath.Join(b.opts.Rules[0], "more.yml")
	require.NoError(t, os.WriteFile(more, []byte(testRules), 0o600))
	b.start()
	b.write("a:1", 0, 0.95)
	b.write("b:1", 0, 0.95)
	b.pass()
	assert.Equal(t, "OldFull active, OldFull active, Down pending, Down pending", b.states())
	require.NoError(t, os.Remove(more))
	b.reread()
	b.reread()
	b.pass()
	assert.Equal(t, "OldFull completed, OldFull completed", b.states())
}

// A message that a receiver refuses is told again, and holds up no other.
func TestARefusedMessageHoldsUpNoOther(t *testing.T) {
	b := newBench(t, testRules)
	b.hook.refused = `"instance":"a:1"`
	b.write("a:1", 1, 0.95)
	b.write("b:1", 1, 0.95)
	for range 4 {
		b.pass()
	}
	got := b.hook.take()
	require.Len(t, got, 1)
	assert.Equal(t, "b:1", got[0].GroupLabels["instance"])
	assert.Contains(t, strings.Join(b.Faults(), ""), "receiver hook: the message is refused: status 413")
	b.hook.refused = ""
	for range 4 {
		b.pass()
	}
	got = b.hook.take()
	require.Len(t, got, 1)
	assert.Equal(t, "a:1", got[0].GroupLabels["instance"])
	assert.Empty(t, b.Faults())
}

// However often a message was refused: others wait for half a minute at most.
func TestAMessageThatIsRefusedForLongHoldsUpNoOther(t *testing.T) {
	b := newBench(t, testRules)
	b.hook.refused = `"instance":"a:1"`
	for range 40 {
		b.write("a:1", 1, 0.95)
		b.pass()
	}
	b.write("b:1", 1, 0.95)
	for range 6 {
		b.pass()
	}
	assert.Len(t, b.hook.take(), 1)
}

// Some receivers answer 500 to what they cannot digest. That is not to be told from one that
// takes nothing, so it is tried again later; but the next time others come first.
func TestAMessageThatAReceiverFailsOnHoldsUpNoOther(t *testing.T) {
	b := newBench(t, testRules)
	b.hook.broken = `"instance":"b:1"`
	for _, instance := range []string{"a:1", "b:1", "c:1"} {
		b.write(instance, 1, 0.95)
	}
	for range 6 {
		b.pass()
	}
	got := b.hook.take()
	require.Len(t, got, 2)
	assert.Equal(t, "a:1", got[0].GroupLabels["instance"])
	assert.Equal(t, "c:1", got[1].GroupLabels["instance"])
	assert.Contains(t, strings.Join(b.Faults(), ""), "receiver hook: status 500")
	b.hook.broken = ""
	for range 6 {
		b.pass()
	}
	got = b.hook.take()
	require.Len(t, got, 1)
	assert.Equal(t, "b:1", got[0].GroupLabels["instance"])
	assert.Empty(t, b.Faults())
}

// fullSink is a store without space.
type fullSink struct{ blind, full bool }

func (fullSink) WriteOwn([]series.Sample) error { return store.ErrNoSpace }

func (s fullSink) Blind() bool { return s.blind }

func (s fullSink) Full() bool { return s.full }

// TestAStoreThatTakesNothingIsTold: no rule finds that the disk is full where the store does not take
// that either.
func TestAStoreThatTakesNothingIsTold(t *testing.T) {
	b := newBench(t, testRules)
	b.opts.Sink, b.opts.Instance = fullSink{blind: true, full: true}, "sidecar:8429"
	b.start()
	b.pass()
	assert.Empty(t, b.states(), "a moment is no alert")
	for range 6 {
		b.pass()
	}
	assert.Equal(t, "StoreTakesNothing active", b.states())
	got := b.hook.take()
	require.Len(t, got, 1)
	assert.Equal(t, map[string]string{"job": "apm-sidecar", "instance": "sidecar:8429"}, got[0].GroupLabels)
	b.set(-time.Hour)
	b.pass()
	assert.Equal(t, "StoreTakesNothing active", b.states(), "for no shorter than before")
	b.opts.Sink = fullSink{}
	b.start()
	b.pass()
	assert.Equal(t, "StoreTakesNothing completed", b.states())
}

// TestAStoreWithoutSpaceHidesNoAlert: what is found is told though it cannot be recorded,
// and what is not found because samples are missing is not taken for over.
func TestAStoreWithoutSpaceHidesNoAlert(t *testing.T) {
	b := newBench(t, testRules)
	b.opts.Sink = fullSink{blind: true}
	b.start()
	b.write("a:1", 1, 0.95)
	for range 3 {
		b.pass()
	}
	assert.Equal(t, "OldFull active", b.states())
	assert.Len(t, b.hook.take(), 1)
	assert.Contains(t, strings.Join(b.Faults(), "\n"), "cannot be recorded: "+store.ErrNoSpace.Error())

	b.now = b.now.Add(10 * time.Minute)
	b.pass()
	assert.Equal(t, "OldFull active", b.states(), "nobody knows")
	b.opts.Sink = fullSink{}
	b.start()
	b.pass()
	assert.Equal(t, "OldFull completed", b.states())
}

func TestDamagedStateBeginsAnew(t *testing.T) {
	b := newBench(t, testRules)
	require.NoError(t, os.WriteFile(filepath.Join(b.opts.Dir, stateFile), []byte(`{"version":`), 0o600))
	b.start()
	assert.Empty(t, b.Alerts())
	var text strings.Builder
	b.WriteMetrics(&text)
	assert.Contains(t, text.String(), `apm_sidecar_alerts{state="active"} 0`)
}

func TestRunEndsWithItsContext(t *testing.T) {
	b := newBench(t, testRules)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	cancel()
	require.NoError(t, <-ended)
	b.evaluators = nil // Run closed them
}

// What is over and comes again has to last as long as any other.
func TestACompletedAlertBeginsAnew(t *testing.T) {
	b := newBench(t, testRules)
	up := func(up float64, passes int) {
		b.write("a:1", up, 0.5)
		for range passes {
			b.pass()
		}
	}
	up(0, 5)
	assert.Equal(t, "Down active", b.states())
	up(1, 2)
	assert.Equal(t, "Down completed", b.states())
	up(0, 1)
	again := b.now
	assert.Equal(t, "Down pending", b.states())
	b.pass()
	b.pass()
	assert.Equal(t, "Down pending", b.states())
	assert.Equal(t, again.UTC(), b.Alerts()[0].Since)
	b.pass()
	assert.Equal(t, "Down active", b.states())
}

// An evaluation that takes too long, or is ended, finds nothing out: it must not end alerts.
func TestAnEvaluationOutOfTimeIsAnError(t *testing.T) {
	b := newBench(t, testRules)
	late, cancelLate := context.WithTimeout(t.Context(), 0)
	defer cancelLate()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, ctx := range []context.Context{late, ended} {
		_, err := b.evaluators[0].evaluate(ctx, b.now, b.book.Get, b.store)
		require.ErrorIs(t, err, ctx.Err())
	}
}

func TestAnAnswerWithoutEndIsAnError(t *testing.T) {
	endless := inProcess{http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for part := make([]byte, 1<<20); ; {
			if _, err := w.Write(part); err != nil {
				return
			}
		}
	})}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://embedded/", nil)
	require.NoError(t, err)
	resp, err := endless.RoundTrip(req)
	if err == nil {
		resp.Body.Close()
	}
	require.ErrorContains(t, err, "longer than")
}

func TestStateOfAnotherVersionIsNotRead(t *testing.T) {
	b := newBench(t, testRules)
	state := `{"version":2,"alerts":[{"id":"1","state":"active","labels":{"alertname":"Down"}}]}`
	require.NoError(t, os.WriteFile(filepath.Join(b.opts.Dir, stateFile), []byte(state), 0o600))
	b.Engine = nil // it would save its own
	b.start()
	assert.Empty(t, b.Alerts())
}

// TestEngineKeepsWhatFiresOverARestart: what a rule looks at may take minutes to be there again
// after a start. As long as its keep_firing_for lasts, nobody is told of an end, and an
// acknowledgement holds.
func TestEngineKeepsWhatFiresOverARestart(t *testing.T) {
	for name, changed := range map[string]string{"the same rules": keptRule, "other rules": strings.Replace(keptRule, "== 0", "< 1", 1)} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, keptRule)
			passes := func(n int, want string) {
				t.Helper()
				for range n {
					b.pass()
					assert.Equal(t, want, b.states())
				}
			}
			b.write("a:1", 0, 0)
			passes(3, "Down active")
			require.Len(t, b.hook.take(), 1)
			down := b.Alerts()[0]
			require.NoError(t, b.Acknowledge(down.ID, "kim", ""))

			b.write("a:1", 1, 0)
			require.NoError(t, os.WriteFile(filepath.Join(b.opts.Rules[0], "rules.yml"), []byte(changed), 0o600))
			b.start()
			passes(5, "Down acknowledged")
			b.write("a:1", 0, 0)
			passes(2, "Down acknowledged")
			assert.Equal(t, down.FiredAt, b.Alerts()[0].FiredAt)
			b.write("a:1", 1, 0)
			passes(6, "Down acknowledged") // vmalert keeps it
			passes(1, "Down completed")

			b.write("a:1", 0, 0)
			passes(1, "Down active")
			b.write("a:1", 1, 0)
			b.start()
			passes(5, "Down active")
			passes(1, "Down completed")
		})
	}
}

// keptRule is one whose alerts stay for a minute.
const keptRule = `
groups:
  - name: test
    interval: 10s
    rules:
      - {alert: Down, expr: apm_sidecar_target_up == 0, keep_firing_for: 1m}
`
