package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/jmx/jmxtest"
)

// characters is how many JVMs of a shape differ: by how often they collect, how much they
// promote and what they keep.
const characters = 8

// turn is after how many old collections, or polls, what grows is where it began: whoever
// leaks is restarted some day, and no share of a region is ever above 1.
const turn = 100

// life is a recorded JVM so many polls later: it has collected garbage in the meantime, so
// its old region has filled, and was emptied now and then, a little less each time.
type life struct {
	character int
	polls     int64
	interval  time.Duration
}

// youngEach is the number of young collections between two polls, oldEvery that of polls
// between two old ones.
func (l life) youngEach() int64 { return 1 + int64(l.character%4) }
func (l life) oldEvery() int64  { return 6 + int64(l.character) }

// sinceOld is how many polls ago the last old collection was, olds how many there have been.
func (l life) sinceOld() int64 { return (l.polls + int64(l.character)) % l.oldEvery() }
func (l life) olds() int64     { return (l.polls + int64(l.character)) / l.oldEvery() }

// kept is the share of the old region that an old collection leaves, some half at most, and
// promoted the share by which it grows at each young one.
func (l life) kept() float64 {
	return 0.2 + 0.02*float64(l.character) + 0.002*float64(l.olds()%turn)
}
func (l life) promoted() float64 { return 0.28 / float64(l.oldEvery()*l.youngEach()) }

// old is the share in use now.
func (l life) old() float64 {
	return l.kept() + l.promoted()*float64(l.sinceOld()*l.youngEach())
}

// age is the time since the recording, in milliseconds.
func (l life) age() int64 { return l.polls * l.interval.Milliseconds() }

// oldAge is the age at the last old collection, youngAge that at the last young one.
func (l life) oldAge() int64 {
	return l.age() - l.sinceOld()*l.interval.Milliseconds() - l.interval.Milliseconds()/2
}
func (l life) youngAge() int64 { return l.age() - l.interval.Milliseconds()/(2*l.youngEach()) }

// answers are what the JVM says: the recorded answer with other numbers, byte for byte the
// same else.
func (l life) answers(recorded []byte) (jmxtest.Answers, error) {
	var doc any
	if err := json.Unmarshal(recorded, &doc); err != nil {
		return nil, err
	}
	out := make([]byte, 0, len(recorded)+len(recorded)/8)
	last := 0
	err := numbers(recorded, func(path []string, from, to int) error {
		value, err := l.number(doc, path, string(recorded[from:to]))
		out = append(append(out, recorded[last:from]...), value...)
		last = to
		return err
	})
	if err != nil {
		return nil, err
	}
	return jmxtest.Recorded(append(out, recorded[last:]...))
}

// numbers calls f for each number of a document, with where it is: the keys and indices
// that lead to it, and its bytes.
func numbers(doc []byte, f func(path []string, from, to int) error) error {
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	var walk func(path []string) error
	walk = func(path []string) error {
		token, err := d.Token()
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case json.Number:
			end := int(d.InputOffset())
			return f(path, end-len(t), end)
		case json.Delim:
			for i := 0; d.More(); i++ {
				key := strconv.Itoa(i)
				if t == '{' {
					name, err := d.Token()
					if err != nil {
						return err
					}
					key = name.(string)
				}
				if err := walk(append(path, key)); err != nil {
					return err
				}
			}
			_, err = d.Token()
			return err
		}
		return nil
	}
	return walk(nil)
}

// number is what a recorded number has become. A path is that of an item of the bulk, of
// "value" and of what the MBean says; of several MBeans the name comes first.
func (l life) number(doc any, path []string, recorded string) (string, error) {
	field := path[len(path)-1]
	n, err := strconv.ParseInt(recorded, 10, 64)
	if err != nil {
		return l.share(field, recorded), nil
	}
	at := strings.Join(path, "/")
	switch {
	case field == "timestamp":
		n += l.age() / 1000
	case field == "Uptime":
		n += l.age()
	case strings.Contains(at, "type=GarbageCollector"):
		n, err = l.collector(doc, path, n)
	case strings.Contains(at, "type=MemoryPool") && field == "used":
		n, err = l.pool(doc, path, n)
	case counts(field):
		n += l.polls * (n/1000 + 1)
	case swings(field):
		n += l.polls % turn * (n/1000 + 1)
	}
	return strconv.FormatInt(n, 10), err
}

// counts tells the fields of other MBeans whose numbers rise for ever, swings those whose
// numbers rise to a tenth more and fall again.
func counts(field string) bool {
	return slices.Contains([]string{"ProcessCpuTime", "TotalStartedThreadCount", "TotalLoadedClassCount", "TotalCompilationTime"}, field)
}

func swings(field string) bool {
	return slices.Contains([]string{"used", "ThreadCount", "MemoryUsed"}, field)
}

// share is a share of the processors with all the digits that Java writes, where the field is one.
func (l life) share(field, recorded string) string {
	if !strings.HasSuffix(field, "Load") && !strings.HasSuffix(field, "LoadAverage") {
		return recorded
	}
	return strconv.FormatFloat(float64(1+(l.polls+int64(l.character))%64)/65, 'g', -1, 64)
}

// pool is the use of a memory pool.
func (l life) pool(doc any, path []string, n int64) (int64, error) {
	switch name := path[2]; {
	case !strings.Contains(name, "Old"):
		return n + n/16*((l.polls+int64(l.character))%5)/4, nil
	case path[3] == "CollectionUsage":
		return ofRegion(doc, path, l.kept())
	default:
		return ofRegion(doc, path, l.old())
	}
}

// collector is a number of a garbage collector. Where it is an old one, it works at the end
// of each period of the old region's, else between all polls.
func (l life) collector(doc any, path []string, n int64) (int64, error) {
	name, field := path[2], path[len(path)-1]
	isOld := strings.Contains(name, "Old") || strings.Contains(name, "MarkSweep") || strings.Contains(name, "Major")
	done, took, age := l.polls*l.youngEach(), 5+(l.polls+int64(l.character))%20, l.youngAge()
	before, after := l.old()-l.promoted(), l.old()
	if isOld {
		done, took, age = l.olds(), 40+10*int64(l.character), l.oldAge()
		before, after = l.kept()+0.28, l.kept()
	}
	uptime, err := recordedUptime(doc)
	switch {
	case err != nil:
		return 0, err
	case field == "CollectionCount", field == "id":
		return n + done, nil
	case field == "CollectionTime":
		return n + done*took/2, nil
	case field == "duration":
		return took, nil
	case field == "endTime":
		return uptime + age, nil
	case field == "startTime":
		return uptime + age - took, nil
	case field == "used" && strings.Contains(path[5], "Old") && path[4] == "memoryUsageBeforeGc":
		return ofRegion(doc, path, before)
	case field == "used" && strings.Contains(path[5], "Old"):
		return ofRegion(doc, path, after)
	}
	return n, nil
}

// recordedUptime is that at the time of the recording.
func recordedUptime(doc any) (int64, error) { return lookUp(doc, "0", "value", "Uptime") }

// ofRegion is a share of the region whose use a path leads to, 0 where its size is not told.
func ofRegion(doc any, path []string, share float64) (int64, error) {
	limit, err := lookUp(doc, append(path[:len(path)-1:len(path)-1], "max")...)
	return int64(share*float64(limit)) / 8 * 8, err
}

// lookUp is the number at a path.
func lookUp(doc any, path ...string) (int64, error) {
	for _, key := range path {
		switch at := doc.(type) {
		case map[string]any:
			doc = at[key]
		case []any:
			if i, err := strconv.Atoi(key); err == nil && i < len(at) {
				doc = at[i]
			}
		}
	}
	if n, ok := doc.(float64); ok {
		return int64(n), nil
	}
	return 0, fmt.Errorf("no number at %s of the recording", strings.Join(path, "/"))
}
