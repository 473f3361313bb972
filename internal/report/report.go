// Package report is the analyser's result: one versioned model and its
// renderers. The model is deterministic and bounded: nothing in it grows with
// the number of objects. Its JSON names are a contract (docs/report-schema.md).
package report

import (
	"slices"
	"strconv"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
)

// SchemaVersion is the version of the JSON form. It changes with every change
// of a name's meaning, not only of its shape.
const SchemaVersion = 1

// Report is everything a scan found out. Parts that were not computed are nil.
type Report struct {
	SchemaVersion int                 `json:"schema_version"`
	Tool          Tool                `json:"tool"`
	Dump          Dump                `json:"dump"`
	JVM           *JVM                `json:"jvm,omitempty"`
	Heap          Heap                `json:"heap"`
	Histogram     []ClassRow          `json:"histogram"`
	Loaders       []LoaderRow         `json:"loaders,omitzero"`
	Packages      []PackageRow        `json:"packages,omitzero"`
	Dominators    []DominatorRow      `json:"dominators,omitzero"`
	DominatorTree []DominatorNode     `json:"dominator_tree,omitzero"`
	Finalizers    *finding.Finalizers `json:"finalizers,omitempty"`
	Cleaners      *finding.Cleaners   `json:"cleaners,omitempty"`
	Schedulers    []finding.Scheduler `json:"schedulers,omitzero"`
	Findings      []finding.Finding   `json:"findings,omitzero"`
	Warnings      []Warning           `json:"warnings"`
	Limits        Limits              `json:"limits"`
}

// Tool names the program that wrote the report.
type Tool struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Dump describes the input file.
type Dump struct {
	Path string `json:"path"`
	// Format is the version of the header: "1.0.1", "1.0.2", ...
	Format string `json:"format"`
	// IDSize is 4 or 8 bytes.
	IDSize int `json:"id_size"`
	// Bytes is the size of the file as it lies on disk.
	Bytes int64 `json:"bytes"`
	// Compression is "none" or "gzip".
	Compression string `json:"compression"`
	// Created is the header's time, RFC 3339 in UTC.
	Created string `json:"created"`
	// Truncated is true when the file ends before its records do.
	Truncated bool `json:"truncated"`
}

// JVM is what the dump itself tells of the JVM; unknown parts are empty.
type JVM struct {
	Version   string `json:"version,omitempty"`
	Vendor    string `json:"vendor,omitempty"`
	Collector string `json:"collector,omitempty"`
	Arguments string `json:"arguments,omitempty"`
}

// Heap are the totals. Reachable means reachable from a GC root without passing
// the referent of a Final-, Weak- or PhantomReference; nil where no graph was
// built.
type Heap struct {
	Objects            int64  `json:"objects"`
	ShallowBytes       int64  `json:"shallow_bytes"`
	ReachableObjects   *int64 `json:"reachable_objects,omitempty"`
	ReachableBytes     *int64 `json:"reachable_bytes,omitempty"`
	UnreachableObjects *int64 `json:"unreachable_objects,omitempty"`
	UnreachableBytes   *int64 `json:"unreachable_bytes,omitempty"`
	// FinalizationObjects and FinalizationBytes are those unreachable ones that only
	// finalization keeps; nil where finalizers were not looked at.
	FinalizationObjects *int64 `json:"finalization_objects,omitempty"`
	FinalizationBytes   *int64 `json:"finalization_bytes,omitempty"`
	Classes             int64  `json:"classes"`
	Loaders             int64  `json:"loaders"`
	GCRoots             int64  `json:"gc_roots"`
	// Layout says how object sizes were derived, such as "64-bit, compressed
	// references, 8-byte alignment", and LayoutConfidence how sure that is.
	Layout           string             `json:"layout"`
	LayoutConfidence finding.Confidence `json:"layout_confidence"`
}

// live is what retained bytes are a share of: the reachable bytes, or all where no graph was built.
func (h *Heap) live() int64 {
	if h.ReachableBytes == nil {
		return h.ShallowBytes
	}
	return *h.ReachableBytes
}

// ClassRow is one line of the class histogram, one class of one loader.
type ClassRow struct {
	Class string `json:"class"`
	// Loader is the hex address of the defining loader, "boot" for the boot loader.
	Loader        string `json:"loader"`
	Instances     int64  `json:"instances"`
	ShallowBytes  int64  `json:"shallow_bytes"`
	RetainedBytes *int64 `json:"retained_bytes,omitempty"`
}

// DominatorRow is one of the biggest objects directly under the GC roots.
type DominatorRow struct {
	Object string `json:"object"`
	Class  string `json:"class"`
	// Of is the class that a class object stands for, or the name of a thread.
	Of            string `json:"of,omitempty"`
	ShallowBytes  int64  `json:"shallow_bytes"`
	RetainedBytes int64  `json:"retained_bytes"`
}

// DominatorNode is an entry of the dominator tree merged by class: objects of one class
// that the entry above dominates, together with those of their class right below them.
// The entries come in depth-first order, the biggest first.
type DominatorNode struct {
	// Depth is 0 for what hangs on the GC roots; the entry above is the last one before
	// with a Depth less by one.
	Depth int    `json:"depth"`
	Class string `json:"class"`
	// Of and Object are as in DominatorRow, where the entry has a single topmost object.
	Of     string `json:"of,omitempty"`
	Object string `json:"object,omitempty"`
	// Objects is how many objects the entry stands for, ShallowBytes their own size.
	Objects      int64 `json:"objects"`
	ShallowBytes int64 `json:"shallow_bytes"`
	// RetainedObjects and RetainedBytes are the same with all that they dominate, what
	// the bounds left out included.
	RetainedObjects int64 `json:"retained_objects"`
	RetainedBytes   int64 `json:"retained_bytes"`
}

// Codes of warnings that make a report a partial one.
const (
	// WarningTruncated is about a dump that ends before its records do.
	WarningTruncated = "truncated"
	// WarningDamaged is about a part of the dump that makes no sense.
	WarningDamaged = "damaged"
)

// name tells the objects of one class apart where the dump has names for them.
func (d DominatorRow) name() string { return objectName(d.Class, d.Of) }

// name is the same for an entry of the dominator tree.
func (d DominatorNode) name() string { return objectName(d.Class, d.Of) }

// objectName names an object by its class and by what it stands for, if anything.
func objectName(class, of string) string {
	switch {
	case of == "":
		return class
	case class == "java.lang.Class":
		return "class " + of
	}
	return class + " \"" + of + "\""
}

// Warning is something that limits how far the report can be trusted.
type Warning struct {
	// Code is stable and machine-readable, such as WarningTruncated.
	Code    string `json:"code"`
	Message string `json:"message"`
	// Offset is the position in the uncompressed dump, where there is one.
	Offset *int64 `json:"offset,omitempty"`
}

// String is the message with its offset, once.
func (w Warning) String() string {
	if w.Offset == nil {
		return w.Message
	}
	offset := strconv.FormatInt(*w.Offset, 10)
	if strings.Contains(w.Message, offset) {
		return w.Message
	}
	return w.Message + " (offset " + offset + ")"
}

// Limits says what was cut and at which bound. A zero "omitted" means all is there.
type Limits struct {
	HistogramRows     int   `json:"histogram_rows"`
	HistogramOmitted  int64 `json:"histogram_omitted"`
	LoaderRows        int   `json:"loader_rows"`
	LoadersOmitted    int64 `json:"loaders_omitted"`
	PackageRows       int   `json:"package_rows"`
	PackagesOmitted   int64 `json:"packages_omitted"`
	DominatorRows     int   `json:"dominator_rows"`
	DominatorsOmitted int64 `json:"dominators_omitted"`
	// DominatorTreeRows bounds the entries of the dominator tree.
	DominatorTreeRows    int   `json:"dominator_tree_rows"`
	DominatorTreeOmitted int64 `json:"dominator_tree_omitted"`
	FinalizerClassRows   int   `json:"finalizer_class_rows"`
	FinalizerOmitted     int64 `json:"finalizer_classes_omitted"`
	CleanerClassRows     int   `json:"cleaner_class_rows"`
	CleanersOmitted      int64 `json:"cleaner_classes_omitted"`
	SchedulerRows        int   `json:"scheduler_rows"`
	SchedulersOmitted    int64 `json:"schedulers_omitted"`
	// StringCharacters is what longer strings are cut to, StringsCut how many were.
	StringCharacters int   `json:"string_characters"`
	StringsCut       int64 `json:"strings_cut"`
}

// Partial tells whether the report covers only a part of the dump, as the rest is
// missing or damaged.
func (r *Report) Partial() bool {
	return r.Dump.Truncated || damaged(r.Warnings)
}

// damaged tells whether a warning is about a part of a dump that is missing.
func damaged(warnings []Warning) bool {
	return slices.ContainsFunc(warnings, func(w Warning) bool {
		return w.Code == WarningTruncated || w.Code == WarningDamaged
	})
}

// WithHistogramRows returns the report with at most n rows of the histogram; the
// other rows are counted as omitted. r itself stays as it is.
func (r *Report) WithHistogramRows(n int) *Report {
	cut := *r
	if omitted := len(r.Histogram) - n; omitted > 0 {
		cut.Histogram = r.Histogram[:n]
		cut.Limits.HistogramOmitted += int64(omitted)
	}
	cut.Limits.HistogramRows = n
	return &cut
}
