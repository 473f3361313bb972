package finding_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// mails are that many coroutines that wait in Mailer$later$1, each with a continuation of Kotlin's own around it.
func mails(j *hproftest.JDK, n int) []*hproftest.Object {
	base := j.Class("kotlin.coroutines.jvm.internal.BaseContinuationImpl", j.Object, hproftest.Ref("completion"))
	lambda := j.Class("com.acme.Mailer$later$1", j.Class("kotlin.coroutines.jvm.internal.SuspendLambda", base), hproftest.Ref("$mail"))
	around := j.Class("kotlinx.coroutines.CancellableContinuationImpl", j.Object, hproftest.Ref("delegate"))
	all := make([]*hproftest.Object, n)
	for i := range all {
		all[i] = j.New(around).Set("delegate", j.New(lambda).Set("$mail", j.Bytes(make([]byte, 5000))))
	}
	return all
}

// TestCoroutines has coroutines that wait in a scope: they are named by their code, not by Kotlin's classes around it.
func TestCoroutines(t *testing.T) {
	const words, advice = "1,500 coroutines are in com.acme.Mailer$later$1.", "Find out why these coroutines do not end"
	j := hproftest.NewJDK(17, 8)
	scope := j.Class("kotlinx.coroutines.NodeList", j.Object, hproftest.Ref("children"))
	j.Class("com.acme.Mailer", j.Object).Static("scope", j.New(scope).Set("children", j.Array(j.Objects, mails(j, 1500)...)))
	f := only(t, "big-retainer", detect(t, j))
	assert.Contains(t, f.Summary, words)
	assert.Contains(t, f.Advice, advice)

	j = hproftest.NewJDK(17, 8)
	all := mails(j, 1500) // each held by two: the scope and the timer
	j.Class("com.acme.Mailer", j.Object).Static("scope", j.Array(j.Objects, all...))
	j.Class("kotlinx.coroutines.DefaultExecutor", j.Object).Static("delayed", j.Array(j.Objects, all...))
	f = only(t, "big-retainer", detect(t, j))
	assert.Contains(t, f.Summary, words)
	assert.Contains(t, f.Advice, advice)
}
