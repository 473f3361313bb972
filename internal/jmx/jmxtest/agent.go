// Package jmxtest is a Jolokia agent for tests: it answers bulks with what real
// agents were recorded saying.
package jmxtest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
)

// Item is one item of a bulk as an agent sees it.
type Item struct {
	Type, MBean, Operation string
	Attribute              []string
	Arguments              []any
	Config                 map[string]string
}

// Absent is what an agent says of an MBean that it does not have.
const Absent = `{"status":404,"error":"javax.management.InstanceNotFoundException : no such MBean"}`

// recordedOrder are the MBeans that the recorded bulks asked for, in order.
func recordedOrder() []string {
	return []string{
		"java.lang:type=Runtime", "java.lang:type=Memory", "java.lang:type=MemoryPool,*", "java.lang:type=GarbageCollector,*", "java.lang:type=Threading",
		"java.lang:type=ClassLoading", "java.lang:type=OperatingSystem", "java.lang:type=Compilation", "java.nio:type=BufferPool,*",
	}
}

// Answers are the items of answers by MBean.
type Answers map[string]string

// Recorded takes a recorded answer to the bulk of nine MBeans apart.
func Recorded(answer []byte) (Answers, error) {
	var items []json.RawMessage
	if err := json.Unmarshal(answer, &items); err != nil {
		return nil, err
	}
	order := recordedOrder()
	if len(items) != len(order) {
		return nil, fmt.Errorf("%d items where %d were recorded", len(items), len(order))
	}
	answers := Answers{}
	for i, mbean := range order {
		answers[mbean] = string(items[i])
	}
	return answers, nil
}

// Bulk answers a bulk: each read with the item of its MBean. Operations, attributes
// that a recording lacks, and other MBeans are absent.
func (a Answers) Bulk(bulk []Item) string {
	out := []byte{'['}
	for i, it := range bulk {
		answer := a[it.MBean]
		if answer == "" || it.Operation != "" || slices.Contains(it.Attribute, "TotalThreadAllocatedBytes") {
			answer = Absent
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, answer...)
	}
	return string(append(out, ']'))
}

// ServeHTTP answers as an agent does.
func (a Answers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var bulk []Item
	if err := json.NewDecoder(r.Body).Decode(&bulk); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, a.Bulk(bulk))
}
