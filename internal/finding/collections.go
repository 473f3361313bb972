package finding

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
)

// collection is a big collection of java.util.
type collection struct {
	object heap.ObjID
	// size is how many elements it has.
	size int64
	// array holds the elements or the heads of their chains; 0 where it has none.
	array heap.ObjID
}

// manyElements is how many elements make a collection a big one.
const manyElements = 1000

// maxMeasured bounds the collections of which it is measured what they retain.
const maxMeasured = 40

// sizes are the collections that keep their number of elements in a field of their
// own, by class; subclasses such as LinkedHashMap and Stack are found with them, and a
// HashSet is a HashMap.
//
// Source: java/util and java/util/concurrent of JDK 6 to 25.
func sizes() []heap.FieldName {
	return []heap.FieldName{
		{Class: "java.util.HashMap", Field: "size"},
		{Class: "java.util.Hashtable", Field: "count"},
		{Class: "java.util.TreeMap", Field: "size"},
		{Class: "java.util.WeakHashMap", Field: "size"},
		{Class: "java.util.IdentityHashMap", Field: "size"},
		{Class: "java.util.ArrayList", Field: "size"},
		{Class: "java.util.Vector", Field: "elementCount"},
		{Class: "java.util.LinkedList", Field: "size"},
		{Class: "java.util.PriorityQueue", Field: "size"},
		{Class: "java.util.concurrent.PriorityBlockingQueue", Field: "size"},
		{Class: "java.util.concurrent.ArrayBlockingQueue", Field: "count"},
		{Class: "java.util.concurrent.LinkedBlockingDeque", Field: "count"},
		{Class: concurrentMap, Field: "baseCount", Long: true},
	}
}

const (
	concurrentMap = "java.util.concurrent.ConcurrentHashMap"
	counterCell   = "java.util.concurrent.ConcurrentHashMap$CounterCell"
	atomicInteger = "java.util.concurrent.atomic.AtomicInteger"
	linkedQueue   = "java.util.concurrent.LinkedBlockingQueue"
	arrayDeque    = "java.util.ArrayDeque"
	copyOnWrite   = "java.util.concurrent.CopyOnWriteArrayList"
)

// chained are the collections whose elements are only to be counted one by one.
func chained() []string {
	return []string{"java.util.concurrent.ConcurrentLinkedQueue", "java.util.concurrent.ConcurrentLinkedDeque"}
}

// The columns of the table of ConcurrentHashMaps with counter cells, and of that of the cells.
const (
	mapCells     = 0
	mapBaseCount = 1
	cellValue    = 0
)

// The columns of tableLinkedQueue and tableArrayDeque.
const (
	linkedQueueCount   = 0
	arrayDequeElements = 0
	arrayDequeHead     = 1
	arrayDequeTail     = 2
)

// collectionWatches are the tables from tableCollections on: those of sizes, those of chained, and
// those of ConcurrentHashMaps with counter cells and of these.
func collectionWatches() []heap.Watch {
	var watches []heap.Watch
	for _, f := range sizes() {
		watches = append(watches, heap.Watch{Class: f.Class, Fields: []heap.FieldName{f}, AtLeast: manyElements})
	}
	for _, class := range chained() {
		watches = append(watches, heap.Watch{Class: class, Fields: []heap.FieldName{{Class: class, Field: "head"}}})
	}
	return append(watches,
		heap.Watch{Class: concurrentMap, AtLeast: 1, Fields: []heap.FieldName{
			{Class: concurrentMap, Field: "counterCells"}, {Class: concurrentMap, Field: "baseCount", Long: true}}},
		heap.Watch{Class: counterCell, Fields: []heap.FieldName{{Class: counterCell, Field: "value", Long: true}}})
}

// contended returns the sizes of the ConcurrentHashMaps that several threads filled at once. From the
// first time that two met on, elements are counted in cells, of which each may be negative.
func (h *Heap) contended() map[heap.ObjID]int64 {
	at := tableCollections + len(sizes()) + len(chained())
	maps, cells := h.Tables[at], h.Tables[at+1]
	found := make(map[heap.ObjID]int64, maps.Len())
	for row, o := range maps.Objects {
		n := maps.Long(row, mapBaseCount)
		if list := maps.Ref(row, mapCells); list != 0 {
			for cell := range h.References(list) {
				if row := cells.Row(cell); row >= 0 {
					n += cells.Long(row, cellValue)
				}
			}
		}
		found[o] = n
	}
	return found
}

// bigCollections returns the collections of many elements. Errors: that of ctx.
func (h *Heap) bigCollections(ctx context.Context) (map[heap.ObjID]*collection, error) {
	known := map[heap.ObjID]*collection{}
	add := func(o heap.ObjID, size int64) {
		if size >= manyElements {
			known[o] = &collection{object: o, size: size, array: h.arrayOf(o)}
		}
	}
	for i, f := range sizes() {
		t := h.Tables[tableCollections+i]
		for row, o := range t.Objects {
			if f.Long {
				add(o, t.Long(row, 0))
			} else {
				add(o, t.Int(row, 0))
			}
		}
	}
	for o, size := range h.contended() {
		delete(known, o)
		add(o, size)
	}
	counters, queues := h.Tables[tableCounter], h.Tables[tableLinkedQueue]
	for row, o := range queues.Objects {
		if c := counters.Row(queues.Ref(row, linkedQueueCount)); c >= 0 {
			add(o, counters.Int(c, 0))
		}
	}
	deques := h.Tables[tableArrayDeque]
	lengths, err := h.lengths(ctx, deques, arrayDequeElements)
	if err != nil {
		return nil, err
	}
	for row, o := range deques.Objects {
		length := lengths[deques.Ref(row, arrayDequeElements)]
		size := deques.Int(row, arrayDequeTail) - deques.Int(row, arrayDequeHead)
		if size < 0 { // the elements go on at the array's begin
			size += length
		}
		add(o, size)
	}
	lists := h.Tables[tableCopyOnWrite]
	if lengths, err = h.lengths(ctx, lists, 0); err != nil {
		return nil, err
	}
	for row, o := range lists.Objects {
		add(o, lengths[lists.Ref(row, 0)])
	}
	for i := range chained() {
		t := h.Tables[tableCollections+len(sizes())+i]
		for row, o := range t.Objects {
			add(o, h.chain(t.Ref(row, 0)))
		}
	}
	return known, nil
}

// lengths reads how many elements the arrays in a column have, the small ones left
// out.
func (h *Heap) lengths(ctx context.Context, t *heap.Table, column int) (map[heap.ObjID]int64, error) {
	var arrays []heap.ObjID
	for row := range t.Len() {
		if a := t.Ref(row, column); a != 0 && h.ShallowBytes(a) >= manyElements*int64(h.Layout.RefBytes) {
			arrays = append(arrays, a)
		}
	}
	lengths := map[heap.ObjID]int64{}
	err := h.Read(ctx, arrays, func(c heap.Content) { lengths[c.Object] = c.Count })
	return lengths, err
}

// arrayOf returns the array of objects that a collection refers to, 0 for none.
func (h *Heap) arrayOf(o heap.ObjID) heap.ObjID {
	var biggest heap.ObjID
	for r := range h.References(o) {
		if strings.HasSuffix(h.Class(r).Name, "[]") && (biggest == 0 || h.ShallowBytes(r) > h.ShallowBytes(biggest)) {
			biggest = r
		}
	}
	return biggest
}

// maxChain bounds the length of a chain that is counted.
const maxChain = 10_000_000

// chain counts the nodes that follow each other from head on and have an element: of
// each node the reference to one of its own class that is not the one before.
func (h *Heap) chain(head heap.ObjID) int64 {
	n, before := int64(0), heap.ObjID(0)
	for o, steps := head, 0; o != 0 && steps < maxChain; steps++ {
		var next, element heap.ObjID
		for r := range h.References(o) {
			switch {
			case h.ClassOf(r) != h.ClassOf(o):
				element = r
			case r != before:
				next = r
			}
		}
		if element != 0 {
			n++
		}
		o, before = next, o
	}
	return n
}

// biggest returns the collections of most elements, at most maxMeasured.
func biggest(known map[heap.ObjID]*collection) []*collection {
	all := make([]*collection, 0, len(known))
	for _, c := range known {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b *collection) int {
		return cmp.Or(cmp.Compare(b.size, a.size), cmp.Compare(a.object, b.object))
	})
	return all[:min(len(all), maxMeasured)]
}

// maxSampled bounds the elements of a collection that are looked at for their class.
const maxSampled = 1000

// elements returns the classes that most elements of a collection have: of the values, where
// it is a map, and of the keys, "" where it is no one class.
func (h *Heap) elements(c *collection) (values, keys string) {
	valueClasses, keyClasses := map[string][]heap.ObjID{}, map[string][]heap.ObjID{}
	for _, o := range h.heads(c) {
		if !h.isNode(c, o) {
			valueClasses[h.payloadClass(o)] = append(valueClasses[h.payloadClass(o)], o)
			continue
		}
		for name, r := range h.content(c, o) {
			class := h.payloadClass(r)
			if name == "key" {
				keyClasses[class] = append(keyClasses[class], r)
			} else {
				valueClasses[class] = append(valueClasses[class], r)
			}
		}
	}
	return majority(valueClasses), majority(keyClasses)
}

// heads returns some elements of a collection, or the links that hold them.
func (h *Heap) heads(c *collection) []heap.ObjID {
	if c.array != 0 {
		return h.sample(c.array)
	}
	var first heap.ObjID
	for o := range h.References(c.object) {
		if first = o; h.isNode(c, o) {
			break
		}
	}
	return h.nodes(first)
}

// majority returns the group that has more than half of all objects, "" if none has.
func majority(groups map[string][]heap.ObjID) string {
	n := 0
	for _, objects := range groups {
		n += len(objects)
	}
	for name, objects := range groups {
		if 2*len(objects) > n {
			return name
		}
	}
	return ""
}

// sample returns some of what an array refers to, from all over it: what came first may be of another
// kind than most.
func (h *Heap) sample(array heap.ObjID) []heap.ObjID {
	var sample []heap.ObjID
	class, n, every := h.Class(array).Object, 0, 1
	for o := range h.References(array) {
		if o == class {
			continue
		}
		if n%every == 0 {
			if len(sample) == maxSampled { // every second one of these is enough
				for i := range maxSampled / 2 {
					sample[i] = sample[2*i]
				}
				sample, every = sample[:maxSampled/2], 2*every
			}
			sample = append(sample, o)
		}
		n++
	}
	return sample
}

// content returns what a link refers to besides other links, by field; nothing where a
// null leaves open which reference is which field's.
func (h *Heap) content(c *collection, node heap.ObjID) map[string]heap.ObjID {
	var fields []string
	for k := h.ClassOf(node); k != heap.NoClass; k = h.Classes[k].Super {
		for _, f := range h.Classes[k].Fields {
			if f.Type == hprof.TypeObject && !slices.Contains([]string{"next", "prev", "before", "after", "left", "right", "parent", "red"}, f.Name) {
				fields = append(fields, f.Name)
			}
		}
	}
	var refs []heap.ObjID
	for r := range h.References(node) {
		if !h.isNode(c, r) {
			refs = append(refs, r)
		}
	}
	if len(refs) != len(fields) {
		return nil
	}
	content := map[string]heap.ObjID{}
	for i, name := range fields {
		content[name] = refs[i]
	}
	return content
}

// isNode says whether o is a link of the collection's own, not an element.
func (h *Heap) isNode(c *collection, o heap.ObjID) bool { return h.isPartOf(c, h.Class(o).Name) }

// isPartOf says whether a class is one of links of the collection.
func (h *Heap) isPartOf(c *collection, name string) bool {
	for k := h.ClassOf(c.object); k != heap.NoClass; k = h.Classes[k].Super {
		if owner := h.Classes[k].Name; platform(owner) && strings.HasPrefix(name, owner+"$") {
			return true
		}
	}
	return false
}

// nodes returns the first links of a chain or a tree.
func (h *Heap) nodes(head heap.ObjID) []heap.ObjID {
	if head == 0 {
		return nil
	}
	found, seen := []heap.ObjID{head}, map[heap.ObjID]bool{head: true}
	for i := 0; i < len(found) && len(found) < maxSampled; i++ {
		for r := range h.References(found[i]) {
			if h.ClassOf(r) == h.ClassOf(head) && !seen[r] {
				seen[r] = true
				found = append(found, r)
			}
		}
	}
	return found
}
