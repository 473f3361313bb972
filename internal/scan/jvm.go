package scan

import (
	"context"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/report"
)

// describeJVM reads what the dump tells of its JVM, nil if nothing.
//
// Source: java.lang.VersionProps (9 and later) and sun.misc.Version (8 and
// before) keep the version in static fields.
func describeJVM(ctx context.Context, g *heap.Graph) (*report.JVM, error) {
	var j report.JVM
	wanted := map[heap.ObjID]*string{}
	for _, s := range []struct {
		class, field string
		to           *string
	}{
		{"java.lang.VersionProps", "java_runtime_version", &j.Version},
		{"sun.misc.Version", "java_runtime_version", &j.Version},
		{"java.lang.VersionProps", "VENDOR", &j.Vendor},
	} {
		if v, ok := g.Static(s.class, s.field); ok && g.Object(v) != 0 {
			wanted[g.Object(v)] = s.to
		}
	}
	ids := make([]heap.ObjID, 0, len(wanted))
	for id := range wanted {
		ids = append(ids, id)
	}
	text, err := g.Strings(ctx, ids)
	if err != nil {
		return nil, err
	}
	for id, to := range wanted {
		*to = text[id]
	}
	if j == (report.JVM{}) {
		return nil, nil
	}
	return &j, nil
}
