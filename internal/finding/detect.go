package finding

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Detector looks for one kind of trouble.
type Detector interface {
	// Detect returns what it found, nothing in a healthy heap. It does not change
	// the heap. Errors: that of ctx.
	Detect(ctx context.Context, h *Heap) ([]Finding, error)
}

// detectors returns all detectors.
func detectors() []Detector {
	return []Detector{
		tasksHeld{}, finalizerAtWork{}, cleanersAtWork{}, cleanersOfThemselves{}, deadUndiscovered{}, tasksBlocked{},
		suspects{}, threadLocals{}, loaderLeaks{}, duplicateStrings{}, sparseArrays{}, directBuffers{}, poolsDrained{}, openConnections{}, statements{}, closedConnections{}, threadLeaks{}, contended{},
	}
}

// Detect runs all detectors. The findings come in the order of what matters:
// severity, bytes, objects. Errors: that of ctx.
func Detect(ctx context.Context, h *Heap) ([]Finding, error) {
	all := []Finding{}
	for _, d := range detectors() {
		found, err := d.Detect(ctx, h)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	for i := range all {
		all[i].fit()
	}
	slices.SortStableFunc(all, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Severity.rank(), b.Severity.rank()), cmp.Compare(b.Bytes, a.Bytes),
			cmp.Compare(b.Objects, a.Objects), cmp.Compare(a.Fingerprint, b.Fingerprint))
	})
	return slices.DeleteFunc(all, func(f Finding) bool {
		return slices.ContainsFunc(all, func(alarm Finding) bool { return alarm.covers(f) })
	}), nil
}

// maxWords bounds Title and Summary together, in characters.
const maxWords = 600

// fit keeps the summary within its bound, whatever names the dump has: its last sentences go, as
// the evidence has what they say.
func (f *Finding) fit() {
	f.Title = clip(f.Title, maxWords/2)
	room := maxWords - utf8.RuneCountInString(f.Title)
	for utf8.RuneCountInString(f.Summary) > room {
		at := strings.LastIndex(strings.TrimSuffix(f.Summary, "."), ". ")
		if at < 0 {
			f.Summary = clip(f.Summary, room)
			return
		}
		f.Summary = f.Summary[:at+1]
	}
}

// coveredShare is the percentage of what a remark counts that an alarm must explain to
// make the remark superfluous.
const coveredShare = 90

// covers says whether the alarm makes a remark on what retains much superfluous: its own
// way leads through that object, and it explains nearly all of it; or the way to that object
// leads through the ThreadLocals that the alarm is about; or it is the queue of the thread that is
// kept; or it is about the very references or threads that wait.
func (f Finding) covers(remark Finding) bool {
	merely := remark.Kind == "growing-collection" || remark.Kind == "big-retainer"
	if f.Kind == "deadlock" && merely && remark.Culprit.Class == virtualThread {
		return f.Bytes*100 >= remark.Bytes*coveredShare // the threads that wait
	}
	if f.Kind == "cleaner-backlog" && f.Severity != SeverityInfo && merely && strings.HasPrefix(remark.Culprit.Class, "jdk.internal.ref.") {
		return f.Bytes*100 >= remark.Bytes*coveredShare // what waits, told by the references to it
	}
	if f.Kind == "timer-blocked" && f.Severity != SeverityInfo && remark.Severity == SeverityInfo && remark.Culprit.Thread == f.Culprit.Thread {
		return f.Bytes*100 >= remark.Bytes*coveredShare && (remark.Kind == "timer-held" || remark.Kind == "scheduler-held")
	}
	if f.Kind == remark.Kind && f.Culprit.Object == remark.Culprit.Object && f.Severity != SeverityInfo && remark.Severity == SeverityInfo {
		return f.Culprit.Object != "" && f.Bytes*100 >= remark.Bytes*coveredShare // the same queue
	}
	if f.Severity == SeverityInfo || remark.Severity != SeverityInfo || !merely || f.Evidence.Path == nil || f.Bytes*100 < remark.Bytes*coveredShare {
		return false
	}
	if f.Kind == "thread-local-leak" && remark.Evidence.Path != nil &&
		(throughThreadLocal([]Path{*remark.Evidence.Path}) || strings.HasPrefix(remark.Culprit.Class, threadLocalMap)) {
		return true
	}
	return slices.ContainsFunc(f.Evidence.Path.Steps, func(s Step) bool { return s.Object != "" && s.Object == remark.Culprit.Object })
}

func (s Severity) rank() int { return slices.Index(Severities(), s) }

// fingerprint condenses what identifies a problem from dump to dump. Digits are
// left out: threads are numbered anew in each run.
func fingerprint(parts ...string) string {
	kept := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, strings.Join(parts, "\x00"))
	sum := sha256.Sum256([]byte(kept))
	return hex.EncodeToString(sum[:8])
}

// simpleName returns the class name without its package.
func simpleName(class string) string { return class[strings.LastIndexByte(class, '.')+1:] }

// fact returns a Fact with a formatted value.
func fact(name, format string, args ...any) Fact {
	return Fact{Name: name, Value: fmt.Sprintf(format, args...)}
}
