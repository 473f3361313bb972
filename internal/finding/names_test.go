package finding_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// orders is a map of 2,000 orders.
func orders(j *hproftest.JDK) *hproftest.Object {
	return hashMap(j, j.Class("com.acme.Order", j.Object, hproftest.Ref("data")), 2000)
}

// held returns the verdict on what a static field holds.
func held(t *testing.T, j *hproftest.JDK, o *hproftest.Object) finding.Finding {
	t.Helper()
	j.Class("com.acme.App", j.Object).Static("MAIN", o)
	return only(t, "growing-collection", detect(t, j))
}

// TestNameOfHolder has a collection in an object that has a name.
func TestNameOfHolder(t *testing.T) {
	f := func(field, name string) string {
		j := hproftest.NewJDK(17, 8)
		queue := j.Class("com.acme.Destination", j.Object, hproftest.Ref("messages"), hproftest.Ref(field))
		return held(t, j, j.New(queue).Set("messages", orders(j)).Set(field, j.String(name))).Summary
	}
	assert.Contains(t, f("name", "audit.events"), `It belongs to Destination "audit.events".`)
	assert.Contains(t, f("queueName", "audit.events"), `It belongs to queue "audit.events".`)
	for what, text := range map[string]string{
		"a class":      "com.acme.Order",
		"an address":   "jdbc:postgresql://db/shop",
		"a setting":    "password=hunter2",
		"a key":        "sk9f8g7h6j5k4l3m2n1",
		"a mail":       "jane@example.com",
		"no letters":   "4711",
		"two lines":    "a\nb",
		"a long text":  string(make([]byte, 500)),
		"and no text:": "",
	} {
		assert.NotContains(t, f("name", text), "belongs to", what)
	}
	assert.NotContains(t, f("password", "hunter"), "hunter", "it is no name")
}

// TestNameByOtherObjects has the name in an object beside the way from the roots, as rows have it of their table.
func TestNameByOtherObjects(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	name := j.Class("org.hsqldb.HsqlNameManager$HsqlName", j.Object, hproftest.Ref("name"))
	table := j.Class("org.hsqldb.Table", j.Object, hproftest.Ref("tableName"))
	store := j.Class("org.hsqldb.persist.RowStoreAVLMemory", j.Object, hproftest.Ref("rows"), hproftest.Ref("table"))
	orderTable := j.New(table).Set("tableName", j.New(name).Set("name", j.String("ORDERS")))
	f := held(t, j, j.New(store).Set("rows", orders(j)).Set("table", orderTable))
	assert.Contains(t, f.Summary, `It belongs to table "ORDERS".`)
}

// TestNameInBytes has the name of a queue in UTF-16, as Artemis keeps it.
func TestNameInBytes(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	simple := j.Class("org.apache.activemq.artemis.api.core.SimpleString", j.Object, hproftest.Ref("data"))
	queue := j.Class("org.apache.activemq.artemis.core.server.impl.QueueImpl", j.Object, hproftest.Ref("messages"), hproftest.Ref("name"))
	f := held(t, j, j.New(queue).Set("messages", orders(j)).Set("name", j.New(simple).Set("data", j.Bytes([]byte("D\x00L\x00Q\x00")))))
	assert.Contains(t, f.Summary, `It belongs to QueueImpl "DLQ".`)
}

// TestNamesFarOff has a name five objects away: only one of a table or the like says of what the collection is a part.
func TestNamesFarOff(t *testing.T) {
	f := func(field string) string {
		j := hproftest.NewJDK(17, 8)
		next := orders(j)
		for i := range 4 {
			next = j.New(j.Class(fmt.Sprintf("com.acme.Layer%c", 'A'+i), j.Object, hproftest.Ref("next"))).Set("next", next)
		}
		manager := j.Class("com.acme.Manager", j.Object, hproftest.Ref("next"), hproftest.Ref(field))
		return held(t, j, j.New(manager).Set("next", next).Set(field, j.String("products"))).Summary
	}
	assert.Contains(t, f("cacheName"), `It belongs to cache "products".`)
	assert.NotContains(t, f("name"), "products")
}

// TestKeyOfHolder has a collection under a key of a map.
func TestKeyOfHolder(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	tenants := j.Class("java.util.HashMap", j.Object, hproftest.Ref("table"), hproftest.Int("size"))
	inner := orders(j)
	node := j.New(j.ClassNamed("java.util.HashMap$Node")).Set("key", j.String("tenant acme")).Set("value", inner)
	outer := j.New(tenants).Set("table", j.Array(j.ClassNamed("[Ljava.util.HashMap$Node;"), node)).Set("size", int32(1))
	assert.Contains(t, held(t, j, outer).Summary, `It is under the key "tenant acme".`)
}

// TestNamesOfElements has elements most of which are called alike.
func TestNamesOfElements(t *testing.T) {
	f := func(name func(i int) string) finding.Finding {
		j := hproftest.NewJDK(17, 8)
		id := j.Class("io.micrometer.core.instrument.Meter$Id", j.Object, hproftest.Ref("name"))
		timer := j.Class("io.micrometer.core.instrument.cumulative.CumulativeTimer", j.Object, hproftest.Ref("id"), hproftest.Ref("data"))
		list := j.Class("java.util.ArrayList", j.Object, hproftest.Ref("elementData"), hproftest.Int("size"))
		slots := make([]*hproftest.Object, 2000)
		for i := range slots {
			slots[i] = j.New(timer).Set("id", j.New(id).Set("name", j.String(name(i)))).Set("data", j.Bytes(make([]byte, 1000)))
		}
		return held(t, j, j.New(list).Set("elementData", j.Array(j.Objects, slots...)).Set("size", int32(len(slots))))
	}
	same := f(func(int) string { return "http.server.requests" })
	assert.Contains(t, same.Summary, `Most of it is CumulativeTimer "http.server.requests".`)
	assert.Contains(t, same.Advice, "maximumAllowableTags")
	assert.Contains(t, f(func(i int) string { return fmt.Sprintf("orders.%d.count", i) }).Summary, `CumulativeTimer "orders.*.count"`)
	assert.Contains(t, f(func(i int) string { return fmt.Sprintf("sql.%c%c", 'a'+i%26, 'a'+i%25) }).Summary, `CumulativeTimer "sql.*"`)
	assert.NotContains(t, f(func(i int) string { return fmt.Sprintf("%c%c", 'a'+i%26, 'a'+i%25) }).Summary, "Most of it is")
	assert.NotContains(t, f(func(i int) string { return fmt.Sprintf("c%d", 10_000+i) }).Summary, "Most of it is", "nothing but numbers")
}

// TestNameOfState has the tables of a state of Flink's, and groups of its metrics.
func TestNameOfState(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	meta := j.Class("org.apache.flink.runtime.state.RegisteredStateMetaInfoBase", j.Object, hproftest.Ref("name"))
	table := j.Class("org.apache.flink.runtime.state.heap.CopyOnWriteStateTable", j.Object, hproftest.Ref("metaInfo"), hproftest.Ref("maps"))
	maps := j.Array(j.Class("[Lorg.apache.flink.runtime.state.heap.StateMap;", j.Object), mails(j, 300)...)
	j.Class("com.acme.Job", j.Object).Static("STATE", j.New(table).Set("metaInfo", j.New(meta).Set("name", j.String("seen-orders"))).Set("maps", maps))
	assert.Contains(t, only(t, "big-retainer", detect(t, j)).Summary, `It belongs to state "seen-orders".`)

	j = hproftest.NewJDK(17, 8)
	group := j.Class("org.apache.flink.runtime.metrics.groups.GenericValueMetricGroup", j.Object, hproftest.Ref("data"))
	assert.Contains(t, held(t, j, hashMap(j, group, 2000)).Advice, "is a meter of its own")
}

// TestNamesBelow has names some layers below an array, as those of the maps of a data grid.
func TestNamesBelow(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	store := j.Class("com.acme.RecordStore", j.Object, hproftest.Ref("name"), hproftest.Ref("data"))
	partition := j.Class("com.acme.Partition", j.Object, hproftest.Ref("store"))
	partitions := make([]*hproftest.Object, 100)
	for i := range partitions {
		partitions[i] = j.New(partition).Set("store", j.New(store).Set("name", j.String("carts")).Set("data", j.Bytes(make([]byte, 50_000))))
	}
	j.Class("com.acme.Grid", j.Object).Static("PARTITIONS", j.Array(j.Class("[Lcom.acme.Partition;", j.Object), partitions...))
	assert.Contains(t, only(t, "big-retainer", detect(t, j)).Summary, `Most of it is RecordStore "carts".`)
}

// TestOtherHolders has a collection in the fields of two objects: the one by which the shortest way leads may not be the one that
// fills it.
func TestOtherHolders(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	queue := orders(j)
	task := j.Class("com.acme.CleanUp", j.Object, hproftest.Ref("queue"))
	service := j.Class("com.acme.Service", j.Object, hproftest.Ref("queue"), hproftest.Ref("task"))
	j.Root(hprof.SubRootJNIGlobal, j.New(task).Set("queue", queue))
	f := held(t, j, j.New(j.Class("com.acme.Context", j.Object, hproftest.Ref("service"))).Set("service", j.New(service).Set("queue", queue)))
	assert.Contains(t, f.Summary, "It is held by field CleanUp.queue")
	assert.Contains(t, f.Summary, "Field Service.queue refers to it, too.")
}

// TestNameByIndex has rows whose table is known by its index alone, which refers to them from beside: H2's.
func TestNameByIndex(t *testing.T) {
	f := func(names ...string) string {
		j := hproftest.NewJDK(17, 8)
		table := j.Class("org.h2.mvstore.db.MVTable", j.Object, hproftest.Ref("objectName"))
		index := j.Class("org.h2.mvstore.db.MVPrimaryIndex", j.Object, hproftest.Ref("table"), hproftest.Ref("dataMap"))
		handle := j.Class("org.h2.mvstore.tx.TransactionMap", j.Object, hproftest.Ref("map"))
		rows := j.New(j.Class("org.h2.mvstore.MVMap", j.Object, hproftest.Ref("root"))).Set("root", orders(j))
		for _, name := range names {
			j.Root(hprof.SubRootJNIGlobal, j.New(index).Set("table", j.New(table).Set("objectName", j.String(name))).Set("dataMap", j.New(handle).Set("map", rows)))
		}
		return held(t, j, rows).Summary
	}
	assert.Contains(t, f("ORDERS"), `It belongs to table "ORDERS".`)
	assert.NotContains(t, f("ORDERS", "CARTS"), "belongs to", "they do not agree")
}
