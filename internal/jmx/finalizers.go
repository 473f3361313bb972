package jmx

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// maxQueueClasses bounds the classes kept of a finalizer queue.
const maxQueueClasses = 1000

// FinalizerQueue asks what waits for the Finalizer thread, by class. It costs the
// JVM neither a safepoint nor a collection. JVMs before JDK 9, but for late updates of
// JDK 8, and those of other vendors give an error that is ErrUnsupported.
func (c *Client) FinalizerQueue(ctx context.Context) (*jvm.FinalizerQueue, error) {
	ctx, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	out, _, err := c.exec(ctx, run(opFinalizerInfo()))
	if err != nil {
		return nil, fmt.Errorf("finalizer queue: %w", err)
	}
	return parseFinalizerInfo(out), nil
}

// parseFinalizerInfo reads the text of jcmd's GC.finalizer_info (JDK 8u504, 9 to 25:
// java.lang.ref.Finalizer and diagnosticCommand.cpp, FinalizerInfoDCmd): a
// heading, then one line of count and class each.
func parseFinalizerInfo(out string) *jvm.FinalizerQueue {
	q := &jvm.FinalizerQueue{Disabled: strings.Contains(out, "Finalization is disabled")}
	lines := bufio.NewScanner(strings.NewReader(out))
	for lines.Scan() && len(q.Classes) < maxQueueClasses {
		fields := strings.Fields(lines.Text())
		if len(fields) != 2 || len(fields[1]) > maxTextBytes {
			continue
		}
		n, err := strconv.ParseInt(fields[0], 10, 64)
		if err != nil || n < 1 {
			continue
		}
		q.Classes = append(q.Classes, jvm.ClassCount{Class: fields[1], Count: n})
	}
	slices.SortFunc(q.Classes, func(a, b jvm.ClassCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Class, b.Class))
	})
	return q
}

// RegisteredFinalizers asks how many finalizable objects there are by class, those
// in use among them. Only a JVM of JDK 21 or later with a flight recording under
// way can tell; it is nil where none is, or the recording has nothing yet.
func (c *Client) RegisteredFinalizers(ctx context.Context) (*jvm.RegisteredFinalizers, error) {
	ctx, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	out, _, err := c.exec(ctx, run(opFlightView(), []string{"width=300", "truncate=beginning", "finalizers"}))
	if err != nil {
		return nil, fmt.Errorf("registered finalizers: %w", err)
	}
	return parseFlightView(out), nil
}

// parseFlightView reads the table of jcmd's JFR.view finalizers (JDK 21 to 25,
// jdk.jfr.internal.query): below a line of dashes a class and two numbers a line,
// grouped by thousands as the JVM's locale wants it. Classes of one name, which several
// loaders may have, are one.
func parseFlightView(out string) *jvm.RegisteredFinalizers {
	_, table, found := strings.Cut(out, "\n---")
	if !found {
		return nil
	}
	r := &jvm.RegisteredFinalizers{}
	rows := map[string]int{}
	for i, line := range strings.Split(table, "\n") {
		fields := strings.FieldsFunc(line, func(c rune) bool { return c == ' ' || c == '\r' })
		if i == 0 || len(fields) != 3 || len(fields[0]) > maxTextBytes || len(r.Classes) == maxQueueClasses {
			continue
		}
		objects, okObjects := groupedNumber(fields[1])
		run, okRun := groupedNumber(fields[2])
		if !okObjects || !okRun {
			continue
		}
		row, known := rows[fields[0]]
		if !known {
			row, rows[fields[0]] = len(r.Classes), len(r.Classes)
			r.Classes = append(r.Classes, jvm.RegisteredClass{Class: fields[0]})
		}
		r.Classes[row].Objects += objects
		r.Classes[row].Run += run
	}
	slices.SortFunc(r.Classes, func(a, b jvm.RegisteredClass) int {
		return cmp.Or(cmp.Compare(b.Objects, a.Objects), cmp.Compare(a.Class, b.Class))
	})
	return r
}

// groupedNumber reads digits with whatever a locale puts between them.
func groupedNumber(s string) (int64, bool) {
	digits := strings.Map(func(c rune) rune {
		switch c {
		case ',', '.', '\'', '’', '\u00a0', '\u202f':
			return -1
		}
		return c
	}, s)
	n, err := strconv.ParseInt(digits, 10, 64)
	return n, err == nil && n >= 0
}

// maxHistogramClasses bounds the classes kept of a histogram.
const maxHistogramClasses = 1000

// ClassHistogram has the JVM count its objects by class, garbage included, without
// a collection. The JVM stands still meanwhile: some tenths of a second for each
// gigabyte in use.
func (c *Client) ClassHistogram(ctx context.Context) (*jvm.ClassHistogram, error) {
	ctx, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	out, timing, err := c.exec(ctx, run(opClassHistogram(), []string{"-all"}))
	if err != nil {
		return nil, fmt.Errorf("class histogram: %w", err)
	}
	h := parseHistogram(out)
	h.Time, h.Took = timing.received, timing.took()
	return h, nil
}

// parseHistogram reads the text of jcmd's GC.class_histogram (JDK 8 to 25,
// heapInspection.cpp): rank, instances, bytes, class and, from JDK 9 on, its
// module, a line each, biggest first; at the end the totals. Classes of one name, which
// several loaders may have, are one.
func parseHistogram(out string) *jvm.ClassHistogram {
	h := &jvm.ClassHistogram{}
	rows := map[string]int{}
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		if len(fields) < 3 {
			continue
		}
		total := fields[0] == "Total"
		if !total && (len(fields) < 4 || !strings.HasSuffix(fields[0], ":")) {
			continue
		}
		objects, err := strconv.ParseInt(fields[1], 10, 64)
		bytes, errBytes := strconv.ParseInt(fields[2], 10, 64)
		switch {
		case err != nil || errBytes != nil || objects < 0 || bytes < 0:
		case total:
			h.Objects, h.Bytes = objects, bytes
		case len(fields[3]) <= maxTextBytes:
			class := sourceName(fields[3])
			row, known := rows[class]
			if !known && len(h.Classes) == maxHistogramClasses {
				continue
			}
			if !known {
				row, rows[class] = len(h.Classes), len(h.Classes)
				h.Classes = append(h.Classes, jvm.ClassUsage{Class: class})
			}
			h.Classes[row].Objects += objects
			h.Classes[row].Bytes += bytes
		}
	}
	slices.SortStableFunc(h.Classes, func(a, b jvm.ClassUsage) int { return cmp.Compare(b.Bytes, a.Bytes) })
	return h
}

// sourceName writes a class as Java source does: the JVM calls int[][] "[[I" and
// String[] "[Ljava.lang.String;" (JVM specification, 4.3.2).
func sourceName(name string) string {
	element := strings.TrimLeft(name, "[")
	depth := len(name) - len(element)
	if depth == 0 {
		return name
	}
	primitives := map[string]string{"B": "byte", "C": "char", "D": "double", "F": "float", "I": "int", "J": "long", "S": "short", "Z": "boolean"}
	if p, ok := primitives[element]; ok {
		element = p
	} else {
		element = strings.TrimSuffix(strings.TrimPrefix(element, "L"), ";")
	}
	return element + strings.Repeat("[]", depth)
}
