package series

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// WriteText writes samples in Prometheus' text form, grouped by metric in the
// order of the catalogue, with its help and type. Samples keep their order within
// a metric; times are not written.
func WriteText(w io.Writer, samples []Sample) error {
	order := map[string]int{}
	catalogue := Catalogue()
	for i, m := range catalogue {
		order[m.Name] = i
	}
	sorted := slices.Clone(samples)
	slices.SortStableFunc(sorted, func(a, b Sample) int {
		return cmp.Or(cmp.Compare(order[a.Name], order[b.Name]), cmp.Compare(a.Name, b.Name))
	})
	out := bufio.NewWriter(w)
	last := ""
	for _, s := range sorted {
		if i, known := order[s.Name]; known && s.Name != last {
			m := catalogue[i]
			fmt.Fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", m.Name, escapeHelp(m.Help), m.Name, m.Type)
		}
		last = s.Name
		out.WriteString(s.Name)
		labels := s.AllLabels()
		for i, l := range labels {
			out.WriteByte("{,"[min(i, 1)])
			fmt.Fprintf(out, `%s="%s"`, l.Name, escapeValue(l.Value))
		}
		if len(labels) > 0 {
			out.WriteByte('}')
		}
		fmt.Fprintf(out, " %s\n", strconv.FormatFloat(s.Value, 'g', -1, 64))
	}
	return out.Flush()
}

func escapeHelp(s string) string { return strings.NewReplacer(`\`, `\\`, "\n", `\n`).Replace(s) }

func escapeValue(s string) string {
	return strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`).Replace(s)
}
