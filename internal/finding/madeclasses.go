package finding

import (
	"fmt"
	"slices"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// maxMade bounds the kinds of classes made at run time that are told apart.
const maxMade = 100_000

// made names classes that were made at run time in one loader, alike but for numbers.
type made struct {
	loader uint64
	alike  string
}

// madeAtRunTime knows a class made at run time by its name: a hidden one has an address behind it, a proxy or a lambda a
// mark. ok is false for others, and for those of the JDK.
func madeAtRunTime(c *heap.Class) (m made, ok bool) {
	name := c.Name
	for _, mark := range []string{"+0x", "/0x", ".0x"} {
		if stem, _, hidden := strings.Cut(name, mark); hidden {
			name, ok = stem, true
		}
	}
	ok = ok || strings.Contains(name, "$$") || strings.Contains(name, "$Proxy")
	if !ok || c.Object == 0 || platform(name) {
		return made{}, false
	}
	return made{c.Loader, namePattern(name)}, true
}

// appendMadeClasses adds the remark on classes that were made at run time by the thousand in one loader, not each in its own.
// Errors: no memory.
func (h *Heap) appendMadeClasses(found []Finding, p pressure) ([]Finding, error) {
	counts := map[made]int64{}
	var most made
	for i := range h.Classes {
		m, ok := madeAtRunTime(&h.Classes[i])
		if _, known := counts[m]; !ok || !known && len(counts) == maxMade {
			continue
		}
		if counts[m]++; counts[m] > counts[most] {
			most = m
		}
	}
	n := counts[most]
	if n < generatedSwarm {
		return found, nil
	}
	var mirrors []heap.ObjID
	for i := range h.Classes {
		if m, ok := madeAtRunTime(&h.Classes[i]); ok && m == most {
			mirrors = append(mirrors, h.Classes[i].Object)
		}
	}
	bytes, err := h.retainedTogether(slices.Values(mirrors))
	loader := "the boot loader"
	if o := h.Object(most.loader); o != 0 {
		loader = "a " + clip(h.Class(o).Name, 80)
	}
	f := Finding{
		Kind: "class-loader-leak", Severity: SeverityInfo, Confidence: ConfidenceMedium, Objects: n, Bytes: bytes,
		Culprit:     Culprit{Class: most.alike, Loader: address(most.loader)},
		Fingerprint: fingerprint("class-loader-leak", "made", most.alike),
		Title:       fmt.Sprintf("%s classes made at run time in one class loader, of names like %s", unit.Count(n), clip(most.alike, 100)),
		Summary: fmt.Sprintf("They are in %s. Their class objects retain %s (%s of the reachable heap), and each takes Metaspace outside of it.",
			loader, unit.Bytes(bytes), unit.Share(bytes, p.liveBytes)),
		Advice: "Make a class for each kind of work once, and keep it: a proxy's class by what it stands for (CGLIB's setUseCache, ByteBuddy's TypeCache), " +
			"that of a script or an expression by its text, in a map of bounded size.",
		Evidence: Evidence{
			Facts:   []Fact{fact("classes", "%s: %s", most.alike, unit.Count(n)), fact("loader", "%s @ %s", loader, address(most.loader))},
			Refutes: "the number of loaded classes (java.lang:type=ClassLoading) stays the same under load",
		},
	}
	if p.metaspace {
		f.Severity = SeverityCritical
		f.Summary += " " + p.words()
	}
	return append(found, f), err
}
