package scan

import (
	"context"
	"fmt"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/report"
)

const (
	stringClass = "java.lang.String"
	threadClass = "java.lang.Thread"
	// maxText is how much of a string's value is kept, in characters.
	maxText = 1024
)

// names is what answers call some objects.
type names struct {
	graph   *heap.Graph
	classes map[heap.ObjID]heap.ClassID
	texts   map[heap.ObjID]string
	threads map[heap.ObjID]heap.ThreadInfo
}

// names looks objects up: their classes, the values of strings, the names of threads.
// 0 is left out. Errors: that of ctx.
func (d *dump) names(ctx context.Context, objects []heap.ObjID) (*names, error) {
	n := &names{graph: d.graph}
	wanted := map[heap.ObjID]bool{0: true}
	var distinct, texts, threads []heap.ObjID
	for _, o := range objects {
		if !wanted[o] {
			wanted[o] = true
			distinct = append(distinct, o)
		}
	}
	var err error
	if n.classes, err = d.graph.ClassesOf(ctx, distinct); err != nil {
		return nil, err
	}
	for _, o := range distinct {
		switch c := n.classes[o]; {
		case d.graph.ClassName(c) == stringClass:
			texts = append(texts, o)
		case d.graph.IsSubclass(c, threadClass):
			threads = append(threads, o)
		}
	}
	if n.texts, err = d.graph.Strings(ctx, texts); err != nil {
		return nil, err
	}
	n.threads, err = d.graph.ThreadInfos(ctx, threads)
	return n, err
}

// of returns what an object is called.
func (n *names) of(o heap.ObjID) report.ObjectName {
	name := report.ObjectName{
		Object: address(n.graph.Address(o)),
		Class:  n.graph.ClassName(n.classes[o]),
		Of:     n.threads[o].Name,
	}
	if c := n.graph.ClassAt(n.graph.Address(o)); c != heap.NoClass {
		name.Of = n.graph.ClassName(c)
	}
	if text, ok := n.texts[o]; ok {
		cut := firstRunes(text, maxText)
		name.Text, name.TextCut = &cut, len(cut) < len(text)
	}
	return name
}

// firstRunes returns the first n characters of s.
func firstRunes(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

// address renders an address.
func address(a uint64) string { return fmt.Sprintf("%#x", a) }
