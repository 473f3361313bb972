package finding

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
)

// threadLeaks finds threads that were started again and again and never ended: those of
// pools, timers and HTTP clients that were made for one piece of work each, and others
// that are alike.
type threadLeaks struct{}

// maker is what starts threads and could end them.
type maker int

const (
	// byPool is a java.util.concurrent.ThreadPoolExecutor, byTimer a java.util.Timer,
	// byClient a java.net.http.HttpClient, and byKafka a producer or admin client of Kafka.
	byPool maker = iota
	byTimer
	byClient
	byKafka
	// byNobody is said of threads that belong to nothing known.
	byNobody
)

const (
	selectorManager = "jdk.internal.net.http.HttpClientImpl$SelectorManager"
	clientFacade    = "jdk.internal.net.http.HttpClientFacade"
	clientFactory   = "jdk.internal.net.http."
	kafkaThread     = "org.apache.kafka.common.utils.KafkaThread"
)

// crowd are the threads of one kind: alike in name, and made by makers of one kind.
type crowd struct {
	maker
	pattern string // the threads' name, a "*" for each number
	class   string // the class of the makers, or of threads without one
	factory string // the class of the pools' ThreadFactory
	threads []heap.ObjID
	// makers are the pools and timers, the facades of the clients.
	makers []heap.ObjID
	// lost says that nobody can shut down the pools any more: nothing but their own threads
	// refers to them.
	lost bool
	// numbers is how many values the first of several numbers in the names has.
	numbers int64
}

// What a crowd needs for a remark, for a warning and to be critical: in pools that
// nobody can shut down, in makers that somebody has, and in threads that belong to none.
const (
	lostRemark, lostWarning, lostCritical = 10, 50, 1000
	madeRemark, madeWarning               = 50, 500
	clientRemark, clientWarning           = 20, 100
	threadsRemark, threadsWarning         = 200, 1000
	numbersRemark, numbersWarning         = 50, 200
	leastThreads                          = lostRemark
	maxCrowds                             = 3
	maxNamedThreads                       = 100_000
)

// Detect implements Detector.
func (threadLeaks) Detect(ctx context.Context, h *Heap) ([]Finding, error) {
	var found []Finding
	for _, c := range h.crowds() {
		by, path, err := h.heldMakers(ctx, c)
		if err != nil {
			return nil, err
		}
		severity, worth := c.severity()
		if !worth {
			continue
		}
		f, err := h.crowdFinding(ctx, c, by, path)
		if err != nil {
			return nil, err
		}
		f.Severity = severity
		found = append(found, f)
		if len(found) == maxCrowds {
			break
		}
	}
	return found, nil
}

// severity rests on how many there are. That nobody can end a pool any more is proof, so
// fewer of those count.
func (c *crowd) severity() (severity Severity, worth bool) {
	made, threads := int64(len(c.makers)), int64(len(c.threads))
	var remark, warning, critical bool
	switch c.maker {
	case byPool:
		remark = made >= madeRemark || c.lost
		warning = made >= madeWarning || c.lost && made >= lostWarning
		critical = c.lost && made >= lostCritical
	case byTimer, byClient, byKafka:
		remark, warning, critical = threads >= clientRemark, threads >= clientWarning, threads >= lostCritical
	case byNobody:
		remark = threads >= threadsRemark || c.numbers >= numbersRemark
		warning = threads >= threadsWarning || c.numbers >= numbersWarning
	}
	switch {
	case critical:
		return SeverityCritical, true
	case warning:
		return SeverityWarning, true
	}
	return SeverityInfo, remark
}

// crowds returns the crowds of most threads first, those left out that are too small for
// a word.
func (h *Heap) crowds() []*crowd {
	live := h.liveThreads()
	if len(live) < leastThreads {
		return nil
	}
	type key struct {
		maker
		pattern, class, factory string
	}
	byKey, firsts := map[key]*crowd{}, map[*crowd]map[string]bool{}
	pools, timers := h.poolsOf(), h.timersOf()
	factories := h.Tables[tableThreadPool]
	clients := false
	for thread, s := range live {
		name := h.threadName(thread)
		k := key{maker: byNobody, pattern: namePattern(name), class: h.Class(thread).Name}
		of := pools[thread]
		switch {
		case of != 0:
			k.maker, k.class = byPool, h.Class(of).Name
			k.factory = stableClass(h.Class(factories.Ref(factories.Row(of), 0)).Name)
		case h.Tables[tableTimerThread].Row(thread) >= 0:
			k.maker, of = byTimer, timers[thread]
		case k.class == selectorManager:
			k.maker, clients = byClient, true
		case k.class == kafkaThread && (strings.HasPrefix(name, "kafka-producer-") || strings.HasPrefix(name, "kafka-admin-client-")):
			k.maker = byKafka
		case pooled(s.Frames):
			continue // of a pool of another make
		default:
			k.class += "\x00" + place(s.Frames)
		}
		c := byKey[k]
		if c == nil {
			c = &crowd{maker: k.maker, pattern: k.pattern, class: h.Class(thread).Name, factory: k.factory}
			if k.maker == byPool {
				c.class = k.class
			}
			byKey[k], firsts[c] = c, map[string]bool{}
		}
		c.threads = append(c.threads, thread)
		if of != 0 {
			c.makers = append(c.makers, of)
		}
		if strings.Count(k.pattern, "*") > 1 {
			firsts[c][firstNumber(name)] = true
		}
	}
	var all []*crowd
	for _, c := range byKey {
		slices.Sort(c.threads)
		slices.Sort(c.makers)
		c.makers = slices.Compact(c.makers)
		c.numbers = int64(len(firsts[c]))
		if c.maker == byClient {
			c.makers = h.instancesOf(func(class string) bool { return class == clientFacade })
		}
		if c.maker == byPool && clients && strings.HasPrefix(c.factory, clientFactory) {
			continue // the clients' own
		}
		if c.enough() {
			all = append(all, c)
		}
	}
	slices.SortFunc(all, func(a, b *crowd) int {
		return cmp.Or(cmp.Compare(len(b.threads), len(a.threads)), cmp.Compare(a.pattern, b.pattern), cmp.Compare(a.threads[0], b.threads[0]))
	})
	return all
}

// enough says whether the crowd could be worth a word.
func (c *crowd) enough() bool {
	if c.maker == byPool {
		return len(c.makers) >= lostRemark
	}
	_, worth := c.severity()
	return worth
}

// liveThreads returns the threads of the dump with their stacks, virtual ones left out:
// those are made to be many.
func (h *Heap) liveThreads() map[heap.ObjID]heap.Stack {
	live := map[heap.ObjID]heap.Stack{}
	for s := range h.Stacks() {
		if len(live) == maxNamedThreads {
			break
		}
		if s.Object != 0 && !h.IsSubclass(h.ClassOf(s.Object), "java.lang.BaseVirtualThread") {
			live[s.Object] = s
		}
	}
	return live
}

// pooled says whether the stack is that of a pool's thread, of whatever make.
func pooled(frames []heap.Frame) bool {
	return slices.ContainsFunc(frames, func(f heap.Frame) bool {
		return f.Method == "runWorker" || poolWaits(f) || strings.HasSuffix(f.Class, "ThreadBody")
	})
}

// place names where a stack is: all of its calls.
func place(frames []heap.Frame) string {
	var b strings.Builder
	for _, f := range frames {
		b.WriteString(f.Class + "." + f.Method + "\n")
	}
	return b.String()
}

// namePattern returns a name with a "*" for each number in it, hexadecimal ones and ids included.
func namePattern(name string) string {
	if !strings.ContainsAny(name, digits) {
		return name
	}
	var b strings.Builder
	for text, number := range numbersIn(name) {
		if number {
			text = "*"
		}
		b.WriteString(text)
	}
	return b.String()
}

// firstNumber returns the first number in a name.
func firstNumber(name string) string {
	for text, number := range numbersIn(name) {
		if number {
			return text
		}
	}
	return ""
}

// leastHex is how many hexadecimal digits make a number, if they are all of a word and one is no letter.
const (
	leastHex  = 4
	digits    = "0123456789"
	hexDigits = digits + "abcdefABCDEF"
)

// numbersIn yields a name piece by piece, and which pieces are numbers.
func numbersIn(name string) iter.Seq2[string, bool] {
	isDigit := func(c byte) bool { return c >= '0' && c <= '9' }
	ofWord := func(c byte) bool { return isDigit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
	run := func(s string, of func(byte) bool) int { // the length of the first run of those, or of others
		n := 1
		for n < len(s) && of(s[n]) == of(s[0]) {
			n++
		}
		return n
	}
	return func(yield func(string, bool) bool) {
		for name != "" {
			word := name[:run(name, ofWord)]
			name = name[len(word):]
			if len(word) >= leastHex && strings.ContainsAny(word, digits) && strings.Trim(word, hexDigits) == "" {
				if !yield(word, true) {
					return
				}
				continue
			}
			for word != "" {
				n := run(word, isDigit)
				if !yield(word[:n], isDigit(word[0])) {
					return
				}
				word = word[n:]
			}
		}
	}
}
