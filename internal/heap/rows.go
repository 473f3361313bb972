package heap

import (
	"encoding/binary"
	"slices"
	"sort"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// rows is a worker's part of a table.
type rows struct {
	objects offheap.List[ObjID]
	words   offheap.List[uint32]
	last    ObjID
	breaks  []int    // the rows, at most manyRuns, whose object lies before that of the row before
	order   []uint64 // where there are more: the objects in order, in the lower half the row of each
	recent  []lookup // by column
}

// manyRuns is how many runs of objects in order there may be in a part of a table before it is
// sorted. A collector has few spaces, and mostly lists the objects of each in order.
const manyRuns = 8

// lookup is an address and the object there, 0 for none.
type lookup struct {
	address uint64
	object  ObjID
}

func (r *rows) free() {
	r.objects.Free()
	r.words.Free()
}

// value returns the value of a column, 0 where the class has none.
func (p *tablePlan) value(column int, body []byte, idSize int) uint64 {
	offset, width := p.offsets[column], p.types[column].Width(idSize)
	if offset < 0 || int(offset)+width > len(body) {
		return 0
	}
	return readValue(body[offset:], p.types[column], width)
}

// add appends the row of one instance. Errors: no memory.
func (r *rows) add(id ObjID, body []byte, p *tablePlan, b *builder) error {
	if p.atLeast > 0 && int64(p.value(0, body, b.idSize)) < p.atLeast {
		return nil
	}
	if id < r.last && len(r.breaks) < manyRuns {
		r.breaks = append(r.breaks, r.objects.Len())
	}
	r.last = id
	if err := r.objects.Append(b.memory, id); err != nil {
		return err
	}
	for i := range p.offsets {
		v := p.value(i, body, b.idSize)
		if p.types[i] == hprof.TypeObject && v != 0 {
			v = r.resolve(i, v, b.index)
		}
		if err := r.words.Append(b.memory, uint32(v)); err != nil {
			return err
		}
		if p.wide[i] {
			if err := r.words.Append(b.memory, uint32(v>>32)); err != nil {
				return err
			}
		}
	}
	return nil
}

// resolve returns the object at an address, missing if there is none. Many rows in a row
// refer to the same one, such as the queue of all Finalizers.
func (r *rows) resolve(column int, address uint64, x *index) uint64 {
	for len(r.recent) <= column {
		r.recent = append(r.recent, lookup{})
	}
	last := &r.recent[column]
	if last.address != address {
		*last = lookup{address, x.id(address)}
	}
	if last.object == 0 {
		return uint64(missing)
	}
	return uint64(last.object)
}

// readValue decodes a value of the given width, integers sign-extended.
func readValue(b []byte, t hprof.Type, width int) uint64 {
	switch width {
	case 1:
		return uint64(int64(int8(b[0])))
	case 2:
		if t == hprof.TypeChar {
			return uint64(binary.BigEndian.Uint16(b))
		}
		return uint64(int64(int16(binary.BigEndian.Uint16(b))))
	case 4:
		if t == hprof.TypeInt {
			return uint64(int64(int32(binary.BigEndian.Uint32(b))))
		}
		return uint64(binary.BigEndian.Uint32(b))
	}
	return binary.BigEndian.Uint64(b)
}

// newTable joins the workers' parts of a table in the order of the objects. Errors: no
// memory.
func newTable(m *offheap.Memory, w Watch, parts []*rows, found []bool) (t *Table, err error) {
	t = &Table{Found: found}
	at := 0
	for _, f := range w.Fields {
		t.at = append(t.at, at)
		at += f.words()
	}
	n := 0
	for i := range parts {
		n += parts[i].objects.Len()
	}
	if t.ids, err = offheap.Make[ObjID](m, n); err != nil {
		return nil, err
	}
	t.Objects = t.ids.Items
	t.columns = make([]column, w.stride())
	if n == 0 {
		return t, nil
	}
	order := orderOf(parts)
	for _, s := range order {
		s.objects(t.Objects[s.at:])
	}
	if err := t.join(m, order); err != nil {
		t.free()
		return nil, err
	}
	return t, nil
}

// join makes the columns of the parts' rows, long ones side by side. Errors: no memory.
func (t *Table) join(m *offheap.Memory, order []rowRun) error {
	if len(t.Objects) >= manyRows {
		return t.joinAtOnce(m, order)
	}
	for k := range t.columns {
		if err := t.joinColumn(m, order, k); err != nil {
			return err
		}
	}
	return nil
}

func (t *Table) joinAtOnce(m *offheap.Memory, order []rowRun) error {
	var g errgroup.Group
	for k := range t.columns {
		g.Go(func() error { return t.joinColumn(m, order, k) })
	}
	return g.Wait()
}

func (t *Table) joinColumn(m *offheap.Memory, order []rowRun, k int) (err error) {
	t.columns[k], err = newColumn(m, order, k, len(t.columns), len(t.Objects))
	return err
}

// rowRun is rows of a part, from, ..., to-1, that come one after the other in the table, from
// the row at on.
type rowRun struct {
	part         *rows
	from, to, at int
}

// orderOf returns how the parts of a table make up the whole, by object.
func orderOf(parts []*rows) (order []rowRun) {
	var left []rowRun // each in order
	var sorting sync.WaitGroup
	for _, p := range parts {
		from := 0
		if len(p.breaks) == manyRuns {
			sorting.Go(p.sort)
		} else {
			for _, to := range p.breaks {
				left = append(left, rowRun{part: p, from: from, to: to})
				from = to
			}
		}
		left = append(left, rowRun{part: p, from: from, to: p.objects.Len()})
	}
	sorting.Wait()
	for row := 0; ; {
		least, first, second := -1, ObjID(missing), ObjID(missing) // the run, its object, and the least one of the others
		for i, r := range left {
			if r.from == r.to {
				continue
			}
			switch o := r.object(r.from); {
			case least < 0 || o < first:
				least, first, second = i, o, first
			case o < second:
				second = o
			}
		}
		if least < 0 {
			return order
		}
		r := &left[least]
		more := sort.Search(r.to-r.from, func(i int) bool { return r.object(r.from+i) >= second })
		n := max(more, 1)
		order = append(order, rowRun{r.part, r.from, r.from + n, row})
		r.from += n
		row += n
	}
}

// object returns the object of the k-th row in the order of the objects.
func (r *rowRun) object(k int) ObjID { return r.part.objects.At(r.part.row(k)) }

// objects puts the run's objects into to.
func (r *rowRun) objects(to []ObjID) {
	to = to[:r.to-r.from]
	if r.part.order == nil {
		r.part.objects.Gather(to, r.from, 1)
		return
	}
	for i := range to {
		to[i] = r.object(r.from + i)
	}
}

// words puts the k-th words of the run's rows, of stride words each, from the i-th row on into to, as
// many as there are and have room, and returns them.
func (r *rowRun) words(to []uint32, i, k, stride int) []uint32 {
	to = to[:min(len(to), r.to-i)]
	if r.part.order == nil {
		r.part.words.Gather(to, i*stride+k, stride)
		return to
	}
	for j := range to {
		to[j] = r.part.words.At(r.part.row(i+j)*stride + k)
	}
	return to
}

// row returns the place of the k-th row in the order of the objects.
func (r *rows) row(k int) int {
	if r.order == nil {
		return k
	}
	return int(uint32(r.order[k]))
}

// sort finds the order of the objects.
func (r *rows) sort() {
	r.order = make([]uint64, r.objects.Len())
	for i := range r.order {
		r.order[i] = uint64(r.objects.At(i))<<32 | uint64(i)
	}
	slices.Sort(r.order)
}
