package finding_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// TestAbandonedAgroal has a pool of six connections: three are lost, one is lent, one belongs to a transaction
// that goes on without a wrapper, and one is idle.
func TestAbandonedAgroal(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	state := j.Class("io.agroal.pool.ConnectionHandler$State", j.Class("java.lang.Enum", j.Object, hproftest.Ref("name")))
	out, in := j.New(state).Set("name", j.String("CHECKED_OUT")), j.New(state).Set("name", j.String("CHECKED_IN"))
	settings := j.New(j.Class("com.acme.Settings", j.Object, hproftest.Int("maxSize"))).Set("maxSize", int32(6))
	configuration := j.New(j.Class("com.acme.Settings$1", j.Object, hproftest.Ref("this$0"))).Set("this$0", settings)
	pool := j.New(j.Class("io.agroal.pool.ConnectionPool", j.Object, hproftest.Ref("configuration"))).Set("configuration", configuration)
	handler := j.Class("io.agroal.pool.ConnectionHandler", j.Object, hproftest.Ref("connection"), hproftest.Ref("connectionPool"), hproftest.Ref("state"), hproftest.Bool("enlisted"))
	wrapper := j.Class("io.agroal.pool.wrapper.ConnectionWrapper", j.Object, hproftest.Ref("handler"))
	driver := j.Class("org.postgresql.jdbc.PgConnection", j.Object)
	for i := range 6 {
		h := j.New(handler).Set("connection", j.New(driver)).Set("connectionPool", pool).Set("state", out).Set("enlisted", i == 4)
		j.Root(hprof.SubRootJNIGlobal, h)
		w := j.New(wrapper).Set("handler", h) // garbage
		switch i {
		case 3:
			j.Root(hprof.SubRootJNIGlobal, w)
		case 5:
			h.Set("state", in)
		}
	}
	f := only(t, "abandoned-connections", detect(t, j))
	assert.Equal(t, int64(3), f.Objects)
	assert.Equal(t, finding.SeverityCritical, f.Severity)
	assert.Contains(t, f.Title, "3 connections of Agroal pool")
	assert.Contains(t, f.Summary, "5 of its 6 connections are in use")
	assert.Contains(t, f.Evidence.Facts, finding.Fact{Name: "size of the pool", Value: "6 at most"})
}

// TestAbandonedObjects has a pool of Commons Pool of five sessions: three are lost, one is in a variable of a
// call, one is idle.
func TestAbandonedObjects(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	state := j.Class("org.apache.commons.pool2.PooledObjectState", j.Class("java.lang.Enum", j.Object, hproftest.Ref("name")))
	allocated, idle := j.New(state).Set("name", j.String("ALLOCATED")), j.New(state).Set("name", j.String("IDLE"))
	const in = "org.apache.commons.pool2.impl."
	base := j.Class(in+"BaseGenericObjectPool", j.Object, hproftest.Int("maxTotal"))
	wrapper := j.Class(in+"BaseGenericObjectPool$IdentityWrapper", j.Object, hproftest.Ref("instance"))
	pooled := j.Class(in+"DefaultPooledObject", j.Object, hproftest.Ref("object"), hproftest.Ref("state"))
	session := j.Class("com.acme.SftpSession", j.Object, hproftest.Ref("window"))
	node := j.Class("java.util.concurrent.ConcurrentHashMap$Node", j.Object, hproftest.Ref("key"), hproftest.Ref("val"))
	all := j.Class("java.util.concurrent.ConcurrentHashMap", j.Object, hproftest.Ref("table"))
	var nodes []*hproftest.Object
	for i := range 5 {
		s := j.New(session)
		o := j.New(pooled).Set("object", s).Set("state", allocated)
		switch i {
		case 3:
			j.NewThread(j.Thread, "upload", hproftest.Frame{Class: session, Method: "put", Locals: []*hproftest.Object{s}})
		case 4:
			o.Set("state", idle)
		}
		nodes = append(nodes, j.New(node).Set("key", j.New(wrapper).Set("instance", s)).Set("val", o))
	}
	pool := j.New(j.Class(in+"GenericObjectPool", base, hproftest.Ref("allObjects"))).Set("maxTotal", int32(8)).
		Set("allObjects", j.New(all).Set("table", j.Array(j.Objects, nodes...)))
	j.Class("com.acme.Sftp", j.Object).Static("POOL", pool)
	f := only(t, "abandoned-connections", detect(t, j))
	assert.Equal(t, int64(3), f.Objects)
	assert.Equal(t, finding.SeverityWarning, f.Severity)
	assert.Contains(t, f.Title, "3 objects of a Commons Pool were never given back")
	assert.Contains(t, f.Summary, "4 of its 5 objects are in use, and nothing but the pool refers to 3 of them")
	assert.Contains(t, f.Summary, "com.acme.SftpSession")
	assert.Contains(t, f.Advice, "returnObject()")
}
