package finding

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// asyncRequests are requests that have begun to be answered asynchronously and have not ended, and how many of them have no limit of
// time.
type asyncRequests struct{ open, unlimited int64 }

// ofServer says whether a class is of the web server whose asynchronous requests are known.
func ofServer(class string) bool {
	return slices.ContainsFunc([]string{"org.apache.catalina.", "org.apache.coyote.", "org.apache.tomcat."}, func(p string) bool { return strings.HasPrefix(class, p) })
}

// asyncRequests counts the asynchronous requests that are open. Errors: that of ctx.
//
// Source: org.apache.catalina.core.AsyncContextImpl of Tomcat 8.5 to 11: request is null where the object waits to be used
// again, and a timeout of 0 or less is none.
func (h *Heap) asyncRequests(ctx context.Context) (a asyncRequests, err error) {
	err = h.Read(ctx, h.instances("org.apache.catalina.core.AsyncContextImpl"), func(c heap.Content) {
		request, _, _ := h.Field(c, heap.FieldName{Field: "request"})
		timeout, _, ok := h.Field(c, heap.FieldName{Field: "timeout"})
		if request != 0 {
			a.open++
			if ok && int64(timeout) <= 0 {
				a.unlimited++
			}
		}
	})
	return a, err
}

// word adds to the verdict on a group of n objects of the server that these are requests which nobody ends, where they are.
func (a asyncRequests) word(f *Finding, n int64) {
	if a.open*2 < n {
		return
	}
	f.Summary += fmt.Sprintf(" %s (AsyncContext)", unit.Plural(a.open, "asynchronous request has begun and not ended", "asynchronous requests have begun and not ended"))
	if a.unlimited > 0 {
		f.Summary += fmt.Sprintf(", %s of them without a time limit", unit.Count(a.unlimited))
	}
	f.Summary += "."
	f.Advice = "Each asynchronous request keeps its connection and its buffers until AsyncContext.complete(): call it on every way out, errors and timeouts included, give each a limit (AsyncContext.setTimeout), and bound how many clients may wait at once."
	f.Evidence.Facts = append(f.Evidence.Facts, fact("asynchronous requests open", "%s, %s without a time limit", unit.Count(a.open), unit.Count(a.unlimited)))
}
