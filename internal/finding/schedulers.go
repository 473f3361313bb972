package finding

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
)

// The kinds of schedulers.
const (
	kindTimer    = "java.util.Timer"
	kindExecutor = "ScheduledThreadPoolExecutor"
)

// scheduler is a queue of tasks as it lies in the heap.
type scheduler struct {
	Scheduler
	owner     heap.ObjID   // the object that owns the queue
	array     heap.ObjID   // the array that the tasks lie in, 0 where it is not known
	tasks     []heap.ObjID // in the order of the array: the head first
	cancelled []heap.ObjID
	counts    map[TaskCount]*int64 // of the tasks, Count being 0
	lastKey   TaskCount            // of the last task, mostly that of the next one
	lastCount *int64
	// head and last are when the first and the last task are due; zero where the
	// dump cannot say.
	head, last time.Time
	// pastDue is how many tasks of an executor wait that were due when the JVM last
	// collected: a lower bound of the overdue ones. lateBy is for how long the first of
	// them had been due then.
	pastDue int64
	lateBy  time.Duration
	// others is how many more schedulers' tasks were joined to this one's.
	others int64
}

// maxSchedulers bounds the schedulers of a report, maxTaskRows the rows of each.
const (
	maxSchedulers = 20
	maxTaskRows   = 20
)

// readSchedulers returns all schedulers that hold a task, biggest first. Errors:
// that of ctx; no memory.
func (h *Heap) readSchedulers(ctx context.Context) ([]*scheduler, error) {
	wheels, err := h.wheelTimers(ctx)
	if err != nil {
		return nil, err
	}
	all := slices.Concat(h.timers(), h.executors(), wheels, h.delaySchedulers())
	all = slices.DeleteFunc(all, func(s *scheduler) bool { return len(s.tasks) == 0 })
	arrays := map[heap.ObjID]*scheduler{}
	for _, s := range all {
		s.Object, s.Cancelled = address(h.Address(s.owner)), int64(len(s.cancelled))
		s.tell()
		if s.array == 0 {
			continue
		}
		// What waits for the next tick of a wheel is not in its array yet.
		held := []heap.ObjID{s.array}
		if s.Kind == kindWheel {
			held = append(held, s.tasks...)
		}
		bytes, err := h.retainedTogether(slices.Values(held))
		if err != nil {
			return nil, err
		}
		s.RetainedBytes = new(bytes)
		arrays[s.array] = s
	}
	ids := make([]heap.ObjID, 0, len(arrays))
	for a := range arrays {
		ids = append(ids, a)
	}
	if err := h.Read(ctx, ids, func(c heap.Content) { arrays[c.Object].Capacity = c.Count }); err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b *scheduler) int {
		return cmp.Or(cmp.Compare(b.Size, a.Size), cmp.Compare(a.owner, b.owner))
	})
	return all, nil
}

// fill takes the tasks from the array of the queue: those objects that have a row
// in the table, whose first column is their state, or that decorate one which has.
// name tells a state's name.
func (h *Heap) fill(s *scheduler, table *heap.Table, name func(state int64) string, each func(row int, state string)) {
	if s.array == 0 {
		return
	}
	s.tasks = make([]heap.ObjID, 0, min(max(s.Size, 0), int64(table.Len())))
	names := payloadNames{h: h, class: heap.NoClass}
	next := 0 // tasks often lie in the order in which they wait
	for task := range h.References(s.array) {
		row := h.decorated(task, table, next)
		if row < 0 {
			continue
		}
		next = row + 1
		state := name(table.Int(row, columnState))
		class := names.of(task)
		if len(s.tasks) == 0 {
			s.HeadTask = class
		}
		s.add(task, class, state)
		each(row, state)
	}
	s.sum()
}

// decorated returns the row of a task, or of the task that it has a reference to (see
// ScheduledThreadPoolExecutor.decorateTask), -1 if there is none. It is looked for near a row.
func (h *Heap) decorated(task heap.ObjID, table *heap.Table, near int) int {
	row := table.RowNear(task, near)
	if row >= 0 {
		return row
	}
	for o := range h.References(task) {
		if row = table.Row(o); row >= 0 {
			return row
		}
	}
	return -1
}

// add adds a task to the queue.
func (s *scheduler) add(task heap.ObjID, class, state string) {
	s.tasks = append(s.tasks, task)
	if state == cancelledState {
		if s.cancelled == nil {
			s.cancelled = make([]heap.ObjID, 0, cap(s.tasks)) // all of them, often
		}
		s.cancelled = append(s.cancelled, task)
	}
	if s.counts == nil {
		s.counts = map[TaskCount]*int64{}
	}
	key := TaskCount{Class: class, State: state}
	if s.lastCount == nil || key != s.lastKey {
		if s.counts[key] == nil {
			s.counts[key] = new(int64)
		}
		s.lastKey, s.lastCount = key, s.counts[key]
	}
	*s.lastCount++
}

// sum lists the tasks that were added by class and state.
func (s *scheduler) sum() {
	s.Tasks = []TaskCount{}
	for k, n := range s.counts {
		k.Count = *n
		s.Tasks = append(s.Tasks, k)
	}
	slices.SortFunc(s.Tasks, func(a, b TaskCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Class, b.Class), cmp.Compare(a.State, b.State))
	})
	s.Tasks = s.Tasks[:min(len(s.Tasks), maxTaskRows)]
}

// cancelledClass returns the class of most cancelled tasks.
func (s *scheduler) cancelledClass() string {
	i := slices.IndexFunc(s.Tasks, func(c TaskCount) bool { return c.State == cancelledState })
	if i < 0 {
		return ""
	}
	return s.Tasks[i].Class
}

// Schedulers lists the schedulers that hold tasks, biggest first. omitted is how
// many the bound cut off.
func (h *Heap) Schedulers() (list []Scheduler, omitted int64) {
	list = []Scheduler{}
	for _, s := range h.schedulers[:min(len(h.schedulers), maxSchedulers)] {
		list = append(list, s.Scheduler)
	}
	return list, int64(len(h.schedulers) - len(list))
}
