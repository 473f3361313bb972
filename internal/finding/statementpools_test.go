package finding_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// TestPooledStatements has statements that Commons DBCP keeps for its connection: those given back
// are its cache's, those that borrowers have are not closed.
func TestPooledStatements(t *testing.T) {
	const in = "org.apache.commons."
	f := func(given, lent int, kind string) finding.Finding {
		j := hproftest.NewJDK(17, 8)
		state := j.Class(in+"pool2.PooledObjectState", j.Class("java.lang.Enum", j.Object, hproftest.Ref("name")))
		allocated, idle := j.New(state).Set("name", j.String("ALLOCATED")), j.New(state).Set("name", j.String("IDLE"))
		connection := j.Class("org.postgresql.jdbc.PgConnection", j.Object)
		statement := j.Class("org.postgresql.jdbc.PgPreparedStatement", j.Class("org.postgresql.jdbc.PgStatement", j.Object, hproftest.Ref("connection"), hproftest.Int("isClosed")))
		wrapper := j.Class(in+"dbcp2.PoolablePreparedStatement", j.Object, hproftest.Ref("statement"))
		entry := j.Class(in+"pool2.impl.DefaultPooledObject", j.Object, hproftest.Ref("object"), hproftest.Ref("state"))
		one := j.New(connection)
		var all []*hproftest.Object
		for i := range given + lent {
			e := j.New(entry).Set("state", idle).Set("object", j.New(wrapper).Set("statement", j.New(statement).Set("connection", one)))
			if i >= given {
				e.Set("state", allocated)
			}
			all = append(all, e)
		}
		pooling := j.New(j.Class(in+"dbcp2.PoolingConnection", j.Object, hproftest.Ref("pStmtPool"))).Set("pStmtPool", j.Array(j.Objects, all...))
		j.Class("com.acme.Search", j.Object).Static("ds", pooling)
		return only(t, kind, detect(t, j))
	}
	found := f(1500, 3, "statement-cache")
	assert.Equal(t, int64(1503), found.Objects)
	assert.Equal(t, "org.postgresql.jdbc.PgPreparedStatement", found.Culprit.Class)
	assert.Contains(t, found.Title, "kept open by Commons DBCP's cache of statements, of 1 connection")
	assert.Contains(t, found.Advice, "maxOpenPreparedStatements")
	found = f(3, 1500, "open-statements")
	assert.Contains(t, found.Advice, "Close each statement")
}
