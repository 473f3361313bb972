package finding

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
)

// called is how people know a thing: a table of a database, a queue of a broker, a meter.
type called struct {
	what string // "table", or the simple name of its class
	name string
}

func (c called) String() string { return fmt.Sprintf("%s %q", clip(c.what, 60), clip(c.name, maxName)) }

// maxName is how many characters of a name are shown.
const maxName = 60

// naming is a way to the name of an object.
type naming struct {
	// what is called so, "" for the object itself.
	what string
	// fields lead, one after the other, from the object to a String or an array of characters.
	fields []string
}

// telling are the namings by fields that only what holds data has: these may lie farther off from it.
func telling() []naming {
	return slices.DeleteFunc(namings(), func(n naming) bool { return n.what == "" })
}

// namings are the fields that hold names, those that say most first.
//
// Source: H2 2 (org.h2.engine.DbObject, index.Index), HSQLDB 2.7 (persist.RowStoreAVL, HsqlNameManager.HsqlName),
// ActiveMQ 5 (command.ActiveMQDestination), Artemis 2 (core.server.impl.QueueImpl, whose names are UTF-16 in bytes),
// Hazelcast 5 (map.impl.recordstore.AbstractRecordStore), Infinispan 15 (factories.ComponentRegistry), Micrometer 1
// (core.instrument.Meter.Id), Prometheus' client 0.16 and 1 (SimpleCollector, MetricMetadata), OpenTelemetry's SDK
// (internal.descriptor.MetricDescriptor), Kafka's clients 3 (TopicPartition, ProducerRecord), Pekko and Akka (actor.ActorPath),
// Undertow 2 (InMemorySessionManager), Flink 1 (runtime.state.RegisteredStateMetaInfoBase).
func namings() []naming {
	return []naming{
		{"table", []string{"table", "objectName"}}, {"table", []string{"table", "tableName", "name"}}, {"table", []string{"tableName"}},
		{"queue", []string{"queueName"}}, {"queue", []string{"queueName", "data"}}, {"queue", []string{"messageQueue", "name", "data"}}, {"topic", []string{"topicName"}}, {"topic", []string{"topic"}}, {"topic", []string{"topicPartition", "topic"}},
		{"map", []string{"mapName"}}, {"cache", []string{"cacheName"}}, {"region", []string{"regionName"}}, {"index", []string{"indexName"}},
		{"pool", []string{"poolName"}}, {"state", []string{"metaInfo", "name"}}, {"deployment", []string{"deploymentName"}}, {"destination", []string{"destination", "physicalName"}},
		{"", []string{"physicalName"}}, {"", []string{"objectName"}}, {"", []string{"fullname"}}, {"", []string{"name"}}, {"", []string{"name", "data"}},
		{"", []string{"id", "name"}}, {"", []string{"metadata", "name"}}, {"", []string{"metricDescriptor", "name"}}, {"", []string{"path", "name"}},
	}
}

// calledOf returns what those of the objects are called that have a name. Errors: that of ctx.
func (h *Heap) calledOf(ctx context.Context, objects []heap.ObjID, ways []naming) (map[heap.ObjID]called, error) {
	found := map[heap.ObjID]called{}
	for _, n := range ways {
		var todo []heap.ObjID
		for _, o := range objects {
			f, ok := h.FieldNamed(h.ClassOf(o), heap.FieldName{Field: n.fields[0]})
			if _, known := found[o]; ok && !known && !nameless(h, o, f.Class.Name) {
				todo = append(todo, o)
			}
		}
		if len(todo) == 0 {
			continue
		}
		names, err := h.textsBehind(ctx, todo, n.fields)
		if err != nil {
			return nil, err
		}
		for o, name := range names {
			if c := (called{n.what, name}); h.fitToShow(name) {
				if c.what == "" {
					c.what = stableClass(simpleName(h.Class(o).Name))
				}
				found[o] = c
			}
		}
	}
	return found, nil
}

// nameless says of an object that the name in a field which that class declares says nothing of what it holds: threads are named
// elsewhere, and constants are called as the program's text calls them.
func nameless(h *Heap, o heap.ObjID, declaring string) bool {
	return declaring == "java.lang.Enum" || h.IsSubclass(h.ClassOf(o), "java.lang.Thread") || h.IsSubclass(h.ClassOf(o), "java.lang.ClassLoader")
}

// textsBehind returns the texts that the fields lead to, one after the other, from those objects that have them. Errors: that of
// ctx.
func (h *Heap) textsBehind(ctx context.Context, objects []heap.ObjID, fields []string) (map[heap.ObjID]string, error) {
	ends, err := h.follow(ctx, objects, fields...)
	if err != nil {
		return nil, err
	}
	var behind []heap.ObjID
	for _, at := range ends {
		if o := h.Object(at); o != 0 && h.Class(o).Name == "java.lang.String" {
			behind = append(behind, o)
		}
	}
	values, err := h.follow(ctx, behind, "value")
	if err != nil {
		return nil, err
	}
	arrays := map[heap.ObjID][]heap.ObjID{} // and whose name that is
	var wanted []heap.ObjID
	for o, at := range ends {
		end := h.Object(at)
		if v, ok := values[end]; ok {
			end = h.Object(v)
		}
		if end != 0 && slices.Contains([]string{"byte[]", "char[]"}, h.Class(end).Name) {
			arrays[end] = append(arrays[end], o)
			wanted = append(wanted, end)
		}
	}
	texts := map[heap.ObjID]string{}
	err = h.Read(ctx, wanted, func(c heap.Content) {
		if s, ok := textOf(c); ok && c.Count <= 4*maxName {
			for _, o := range arrays[c.Object] {
				texts[o] = s
			}
		}
	})
	return texts, err
}

// fitToShow says whether a text is a name to show: it has a letter, is no class, and nothing like an address, a
// setting, a key or a token.
func (h *Heap) fitToShow(s string) bool {
	return utf8.RuneCountInString(s) <= 2*maxName && strings.ContainsFunc(s, unicode.IsLetter) && !strings.ContainsAny(s, "=@;\n\r\t") &&
		!strings.Contains(s, "://") && !opaque(s) && len(h.ClassesNamed(s)) == 0
}

// mostCalled returns the name, with a "*" for each number in it, that most of n have, or else what all names begin with.
func mostCalled(names map[heap.ObjID]called, n int) (most called, ok bool) {
	counts := map[called]int{}
	var common called
	alike := true
	for _, c := range names {
		if len(counts) == 0 {
			common = c
		}
		alike = alike && c.what == common.what
		for !strings.HasPrefix(c.name, common.name) {
			_, last := utf8.DecodeLastRuneInString(common.name)
			common.name = common.name[:len(common.name)-last]
		}
		c.name = namePattern(c.name)
		if counts[c]++; counts[c]*2 > n && strings.ContainsFunc(c.name, unicode.IsLetter) {
			return c, true
		}
	}
	if common.name = namePattern(common.name) + "*"; alike && len(names)*2 > n && len(common.name) > leastPrefix {
		return common, true
	}
	return called{}, false
}

// leastPrefix is how long the beginning of names must be that they have in common.
const leastPrefix = 3
