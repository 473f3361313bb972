package finding_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
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

// manyIn is a heap with that many tenants in an object, each with a list of clicks, and text beside them.
func manyIn(tenants, clicks, text int) *hproftest.JDK {
	j := hproftest.NewJDK(17, 8)
	click := j.Class("com.acme.Click", j.Object, hproftest.Ref("page"))
	tenant := j.Class("com.acme.Tenant", j.Object, hproftest.Ref("clicks"))
	all := make([]*hproftest.Object, tenants)
	for i := range all {
		own := make([]*hproftest.Object, clicks)
		for k := range own {
			own[k] = j.New(click).Set("page", j.Bytes(make([]byte, 500)))
		}
		all[i] = j.New(tenant).Set("clicks", j.Array(j.Objects, own...))
	}
	tracking := j.Class("com.acme.Tracking", j.Object, hproftest.Ref("tenants"), hproftest.Ref("text"))
	j.Class("com.acme.App", j.Object).Static("TRACKING", j.New(tracking).Set("tenants", j.Array(j.Objects, all...)).
		Set("text", j.Bytes(make([]byte, text))))
	return j
}

// TestBelowAreFewThatHaveMany: 40 of something are not what a heap is full of.
func TestBelowAreFewThatHaveMany(t *testing.T) {
	f := only(t, "big-retainer", detect(t, manyIn(40, 100, 0)))
	assert.Contains(t, f.Summary, "40 com.acme.Tenant with 4,000 com.acme.Click.")
	f = only(t, "big-retainer", detect(t, manyIn(1000, 4, 0)))
	assert.NotContains(t, f.Summary, "1,000 com.acme.Tenant with 4,000", "those are many themselves")
}

// TestBelowIsAPart names what has less than half of it, with how much that is, where nothing has more.
func TestBelowIsAPart(t *testing.T) {
	summary := func(text int) (all string) {
		for _, f := range detect(t, manyIn(1000, 4, text)) {
			all += f.Summary
		}
		return all
	}
	assert.Contains(t, summary(2_500_000), "Below it lie 1,000 com.acme.Tenant with 2.")
	assert.NotContains(t, summary(40_000_000), "com.acme.Tenant", "a twentieth says nothing")
}

// TestBelowAGroup says whose the JDK's objects are that many hold.
func TestBelowAGroup(t *testing.T) {
	for class, told := range map[string]bool{"sun.rmi.transport.WeakRef": true, "com.acme.Connection": false} {
		j := hproftest.NewJDK(17, 8)
		session := j.Class("com.acme.SessionImpl", j.Object, hproftest.Ref("basket"))
		ref := j.Class(class, j.Object, hproftest.Ref("strong"))
		refs := make([]*hproftest.Object, 2000)
		for i := range refs {
			refs[i] = j.New(ref).Set("strong", j.New(session).Set("basket", j.Bytes(make([]byte, 1000))))
		}
		j.Class("sun.rmi.transport.ObjectTable", j.Object).Static("objTable", j.Array(j.Objects, refs...))
		j.Class("sun.rmi.transport.DGCImpl", j.Object).Static("leaseTable", j.Array(j.Objects, refs...))
		f := only(t, "big-retainer", detect(t, j))
		assert.Contains(t, f.Title, "2,000 "+class)
		assert.Equal(t, told, strings.Contains(f.Summary, "Below them lie 2,000 com.acme.SessionImpl."), class)
	}
}

// TestBelowAGroupIsCountedOnceACore has a thousand lists with much below them, in a heap of many classes:
// what counts by class is made for each core, not for each list.
func TestBelowAGroupIsCountedOnceACore(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	for i := range 2000 {
		j.Class(fmt.Sprintf("com.acme.Rule%d", i), j.Object)
	}
	click := j.Class("com.acme.Click", j.Object, hproftest.Ref("page"))
	ref := j.Class("sun.rmi.transport.WeakRef", j.Object, hproftest.Ref("strong"))
	refs := make([]*hproftest.Object, 1000)
	for i := range refs {
		clicks := make([]*hproftest.Object, 300)
		for k := range clicks {
			clicks[k] = j.New(click)
		}
		refs[i] = j.New(ref).Set("strong", j.Array(j.Objects, clicks...))
	}
	j.Class("sun.rmi.transport.ObjectTable", j.Object).Static("objTable", j.Array(j.Objects, refs...))
	j.Class("sun.rmi.transport.DGCImpl", j.Object).Static("leaseTable", j.Array(j.Objects, refs...))
	h := analyse(t, j.Finish())
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	found, err := finding.Detect(t.Context(), h)
	runtime.ReadMemStats(&after)
	require.NoError(t, err)
	assert.Contains(t, only(t, "big-retainer", found).Summary, "Below them lie 300,000 com.acme.Click")
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(32<<20))
}
