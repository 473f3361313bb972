package finding

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// stateNew is that of a thread that was never started.
const stateNew = "NEW"

// takerEnded returns the thread that has ended, or never began, which is or belongs to the object that has a long queue, if nobody else is
// there who could take from it: no other thread of that object lives, no executor is its own, no task among those outside knows
// it, and no stack refers to one of the two but to put something in. nil if there is none. Errors: that of ctx.
func (h *Heap) takerEnded(ctx context.Context, s *suspect, paths []Path, outside []heap.ObjID) (*heap.ThreadInfo, error) {
	queue := s.targets()[0]
	if s.group != nil || len(paths) == 0 || !isQueue(h.Class(queue).Name) || isWorkOfPool(&paths[0]) {
		return nil, nil
	}
	owner := h.ownerOn(&paths[0])
	if owner == 0 {
		return nil, nil
	}
	threads := []heap.ObjID{}
	for o := range h.References(owner) {
		if runs(h.Class(o).Name) {
			return nil, nil
		}
	}
	for _, o := range slices.AppendSeq([]heap.ObjID{owner}, h.References(owner)) {
		if h.IsSubclass(h.ClassOf(o), "java.lang.Thread") {
			threads = append(threads, o)
		}
	}
	infos, err := h.ThreadInfos(ctx, threads)
	if err != nil || len(infos) != 1 {
		return nil, err
	}
	info := infos[threads[0]]
	if info.State != stateTerminated && info.State != stateNew {
		return nil, nil
	}
	for o := range h.referring(outside, map[heap.ObjID]heap.ObjID{queue: queue, owner: owner}, threads[0]) {
		class := h.Class(o).Name
		if isTask(class) || outerClass(class) == outerClass(h.Class(owner).Name) {
			return nil, nil
		}
	}
	for st := range h.Stacks() {
		if h.mayTake(st, queue, owner) {
			return nil, nil
		}
	}
	return &info, nil
}

// runs says whether a class is, by its name, of those that run tasks.
func runs(class string) bool { return namedLike(class, "Executor", "Scheduler", "Timer", "Pool") }

// isTask says whether a class is, by its name, of what others run.
func isTask(class string) bool {
	return strings.Contains(class, lambdaMark) || namedLike(class, "Task", "Runnable", "Job", "Worker", "Consumer")
}

// namedLike says whether the name of a class has one of the words in it.
func namedLike(class string, words ...string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(simpleName(class), w) })
}

// ownerOn returns the program's object that is nearest to what a path ends at, 0 where that is none or several.
func (h *Heap) ownerOn(p *Path) heap.ObjID {
	for _, step := range slices.Backward(p.above()) {
		if platform(step.Class) || container(step.Class) {
			continue
		}
		return h.objectOf(step)
	}
	return 0
}

// mayTake says whether a thread has a queue or its owner in a variable, unless it is putting something in.
func (h *Heap) mayTake(s heap.Stack, queue, owner heap.ObjID) bool {
	knows := false
	for i, f := range s.Frames {
		locals := s.Locals(i)
		if isQueue(f.Class) && refersTo(locals, queue) {
			return !slices.ContainsFunc([]string{"put", "offer", "add", "enqueue"}, func(m string) bool { return strings.HasPrefix(f.Method, m) })
		}
		knows = knows || refersTo(locals, queue) || refersTo(locals, owner)
	}
	return knows
}

// wordNobodyTakes says of a long queue that the thread which is to take from it is gone: then it can but grow.
func (h *Heap) wordNobodyTakes(f *Finding, s *suspect, p pressure) {
	f.Confidence = ConfidenceMedium
	switch {
	case h.tasksMayKnow(f.Evidence.Path):
		f.Confidence = ConfidenceLow
	case s.retained >= suspectBytes && s.retained*100 >= p.liveBytes*criticalShare && f.Severity == SeverityInfo:
		f.Severity = SeverityWarning
	}
	name := clip(s.ended.Name, 60)
	f.Culprit.Thread = s.ended.Name
	f.Summary += fmt.Sprintf(" Thread %q of the same object has ended, and no other is seen that takes from it.", name)
	f.Advice = fmt.Sprintf("Find in the log what ended thread %q, such as an exception that nobody caught: let it survive one, or start it anew (an executor does). Bound the queue, so that those who fill it notice.", name)
	if s.ended.State == stateNew {
		f.Summary = strings.Replace(f.Summary, "has ended", "was never started", 1)
		f.Advice = fmt.Sprintf("Start thread %q. Bound the queue, so that those who fill it notice.", name)
	}
	if f.Confidence == ConfidenceLow {
		f.Summary = strings.TrimSuffix(f.Summary, ".") + ", unless a task of a scheduler knows it by the static field."
	}
	f.Evidence.Facts = append(f.Evidence.Facts, fact("thread", "%q, %s", name, s.ended.State))
	f.Evidence.Refutes = fmt.Sprintf("a later dump in which the queue has fewer elements than %s", unit.Count(f.Objects))
}

// tasksMayKnow says whether tasks of the program's that wait for their time may know what a path ends at: by the
// static field that it begins with, which no object of theirs shows.
func (h *Heap) tasksMayKnow(p *Path) bool {
	class, static := strings.CutPrefix(p.Steps[0].Class, "class ")
	return static && !platform(class) && slices.ContainsFunc(h.schedulers, func(q *scheduler) bool {
		return slices.ContainsFunc(q.Tasks, func(t TaskCount) bool { return t.State != cancelledState && !platform(t.Class) })
	})
}
