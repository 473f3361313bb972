package report

import (
	"bytes"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
)

// counted is a report with a histogram alone. Rows are class, loader, instances,
// shallow and retained bytes, -1 for none.
func counted(omitted int64, rows ...ClassRow) *Report {
	return &Report{SchemaVersion: SchemaVersion, Histogram: rows, Limits: Limits{HistogramOmitted: omitted}}
}

func classRow(class, loader string, instances, shallow, retained int64) ClassRow {
	row := ClassRow{Class: class, Loader: loader, Instances: instances, ShallowBytes: shallow}
	if retained >= 0 {
		row.RetainedBytes = &retained
	}
	return row
}

func TestCompareClasses(t *testing.T) {
	before := counted(0, classRow("com.acme.A", "0x1", 1, 100, 150), classRow("com.acme.A", "0x2", 2, 50, 50),
		classRow("com.acme.Same", "boot", 3, 30, 30), classRow("com.acme.Gone", "boot", 1, 20, 20), classRow("com.acme.Less", "boot", 9, 9, 9),
		classRow("com.acme.Holder", "boot", 1, 8, 8))
	after := counted(0, classRow("com.acme.A", "0x3", 5, 500, 900), classRow("com.acme.New", "boot", 1, 60, 70),
		classRow("com.acme.Same", "boot", 3, 30, 30), classRow("com.acme.Less", "boot", 8, 8, 9), classRow("com.acme.Holder", "boot", 1, 8, 800))
	of := func(before, after int64) Change { return Change{new(before), new(after), new(after - before)} }
	d := Compare(Tool{}, before, after, 10)
	assert.Equal(t, []ClassDiff{
		{"com.acme.A", "", ClassGrew, of(3, 5), of(150, 500), of(200, 900)},
		{"com.acme.New", "", ClassAppeared, of(0, 1), of(0, 60), of(0, 70)},
		{"com.acme.Holder", "", ClassGrew, of(1, 1), of(8, 8), of(8, 800)},
		{"com.acme.Less", "", ClassShrank, of(9, 8), of(9, 8), of(9, 9)},
		{"com.acme.Gone", "", ClassVanished, of(1, 0), of(20, 0), of(20, 0)},
	}, d.Classes)
	assert.Equal(t, DiffLimits{ClassRows: 10, ClassesUnchanged: 1}, d.Limits)

	cut := Compare(Tool{}, before, after, 2)
	assert.Equal(t, d.Classes[:2], cut.Classes)
	assert.Equal(t, int64(3), cut.Limits.ClassesOmitted)
	assert.Empty(t, Compare(Tool{}, before, before, 10).Classes)
}

func TestStableName(t *testing.T) {
	f := func(class, want string) {
		t.Helper()
		assert.Equal(t, want, stableName(class))
	}
	f("com.acme.Order", "com.acme.Order")
	f("com.acme.A$$Lambda$14+0x00007f4d3004a740", "com.acme.A$$Lambda")
	f("com.acme.A$$Lambda.0x00007f4d3004a740", "com.acme.A$$Lambda")
	f("com.acme.A$$Lambda$14", "com.acme.A$$Lambda")
	f("com.acme.A$$Lambda$14$b", "com.acme.A$$Lambda$14$b")
	f("java.lang.invoke.LambdaForm$MH+0x1", "java.lang.invoke.LambdaForm$MH")
	f("com.acme.Order$1", "com.acme.Order$1")
}

// Classes of two loaders are two where both reports tell the loaders, whatever their
// addresses are.
func TestCompareLoaders(t *testing.T) {
	before := counted(0, classRow("com.acme.A", "0x1", 1, 100, -1), classRow("com.acme.A", "0x2", 2, 50, -1))
	after := counted(0, classRow("com.acme.A", "0x7", 1, 100, -1), classRow("com.acme.A", "0x8", 9, 90, -1))
	d := Compare(Tool{}, before, after, 10)
	require.Len(t, d.Classes, 1)
	assert.Equal(t, int64(40), *d.Classes[0].ShallowBytes.Delta)
	assert.Empty(t, d.Classes[0].Loader)
	one := LoaderRow{Class: "com.acme.Loader", Name: "one"}
	two := LoaderRow{Class: "com.acme.Loader", Name: "two"}
	at := func(l LoaderRow, address string) LoaderRow {
		l.Loader = address
		return l
	}
	before.Loaders = []LoaderRow{at(one, "0x1"), at(two, "0x2")}
	assert.Empty(t, Compare(Tool{}, before, after, 10).Classes[0].Loader, "only one of them tells")
	after.Loaders = []LoaderRow{at(two, "0x8"), at(one, "0x7")}
	d = Compare(Tool{}, before, after, 10)
	require.Len(t, d.Classes, 1)
	assert.Equal(t, `com.acme.Loader "two"`, d.Classes[0].Loader)
	assert.Equal(t, int64(1), d.Limits.ClassesUnchanged)
}

// A class that is missing behind the bound of a report is neither new nor gone.
func TestCompareWithACutHistogram(t *testing.T) {
	before := counted(7, classRow("a", "boot", 9, 1000, -1), classRow("b", "boot", 1, 100, -1))
	after := counted(0, classRow("a", "boot", 9, 1050, -1), classRow("b", "boot", 1, 100, -1), classRow("late", "boot", 4, 400, -1), classRow("small", "boot", 1, 90, -1))
	d := Compare(Tool{}, before, after, 10)
	require.Len(t, d.Classes, 3)
	assert.Equal(t, ClassDiff{"late", "", ClassUnknown, Change{After: new(int64(4))}, Change{After: new(int64(400))}, Change{}}, d.Classes[0], "at least 300 bytes more")
	assert.Equal(t, "a", d.Classes[1].Class)
	assert.Equal(t, ClassUnknown, d.Classes[2].Change)

	back := Compare(Tool{}, after, before, 10)
	assert.Equal(t, []string{"small", "a", "late"}, []string{back.Classes[0].Class, back.Classes[1].Class, back.Classes[2].Class})
	assert.Equal(t, Change{Before: new(int64(400))}, back.Classes[2].ShallowBytes)
}

func TestCompareFindings(t *testing.T) {
	find := func(fingerprint string, bytes int64) finding.Finding {
		return finding.Finding{Fingerprint: fingerprint, Bytes: bytes}
	}
	before, after := counted(0), counted(0)
	assert.Nil(t, Compare(Tool{}, before, after, 1).Findings, "nobody looked")
	before.Findings = []finding.Finding{find("twice", 10), find("gone", 3), find("twice", 20)}
	after.Findings = []finding.Finding{find("twice", 11), find("new", 4), find("twice", 40)}
	d := Compare(Tool{}, before, after, 1).Findings
	assert.Equal(t, []finding.Finding{find("new", 4)}, d.Appeared)
	assert.Equal(t, []finding.Finding{find("gone", 3)}, d.Went)
	require.Len(t, d.Stayed, 2)
	assert.Equal(t, int64(20), *d.Stayed[0].Bytes.Delta)
	assert.Equal(t, int64(1), *d.Stayed[1].Bytes.Delta)
	assert.Len(t, before.Findings, 3, "the report itself stays as it is")
}

func TestCompareSeedWithHealthy(t *testing.T) {
	seed, healthy := seedReport(), healthyReport()
	d := Compare(Tool{Name: "heapscan"}, healthy, seed, 10)
	assert.Len(t, d.Findings.Appeared, 2)
	assert.Equal(t, int64(30_000), *d.Finalizers.States.RegisteredHeld.Delta)
	assert.Equal(t, int64(68), *d.Finalizers.States.Done.Delta)
	assert.Zero(t, *d.Heap.ReachableBytes.Delta)
	assert.False(t, d.Partial())
	assert.True(t, Compare(Tool{}, truncatedReport(), seed, 10).Partial())
	assert.Contains(t, Compare(Tool{}, truncatedReport(), seed, 10).Warnings[0].Message, "before: ")

	var text bytes.Buffer
	require.NoError(t, DiffText(&text, d, TextOptions{Width: 60}))
	assert.Contains(t, text.String(), "appeared [CRITICAL]")
	for line := range strings.Lines(text.String()) {
		assert.LessOrEqual(t, len([]rune(strings.TrimSuffix(line, "\n"))), 60, line)
	}
	// Of a histogram alone nothing is said that it does not know.
	d = Compare(Tool{}, histogramReport(), seed, 10)
	assert.Nil(t, d.Findings)
	assert.Nil(t, d.Finalizers)
	assert.Nil(t, d.Heap.ReachableBytes.Delta)
}

func TestDocumentationNamesEveryFieldOfADiff(t *testing.T) {
	text, err := os.ReadFile("../../docs/diff-schema.md")
	require.NoError(t, err)
	described := []reflect.Type{reflect.TypeFor[Change](), reflect.TypeFor[Dump](), reflect.TypeFor[Tool](), reflect.TypeFor[[]Warning](),
		reflect.TypeFor[finding.Finding](), reflect.TypeFor[[]finding.Finding]()}
	var inside []string // of what is described elsewhere
	walkModel(t, reflect.TypeFor[Diff](), "", func(path string, ty reflect.Type) {
		if slices.ContainsFunc(inside, func(p string) bool { return strings.HasPrefix(path, p) }) {
			return
		}
		if ty.Kind() == reflect.Slice {
			path += "[]"
		}
		if slices.Contains(described, ty) {
			inside = append(inside, path+".")
		}
		assert.True(t, bytes.Contains(text, []byte("| `"+path+"` |")), "%s is not in docs/diff-schema.md", path)
	})
}

func TestRead(t *testing.T) {
	var saved bytes.Buffer
	require.NoError(t, JSON(&saved, seedReport()))
	r, err := Read(bytes.NewReader(saved.Bytes()))
	require.NoError(t, err)
	var again bytes.Buffer
	require.NoError(t, JSON(&again, r))
	assert.Equal(t, saved.String(), again.String())

	f := func(text, want string) {
		t.Helper()
		_, err := Read(strings.NewReader(text))
		require.ErrorIs(t, err, ErrNoReport)
		assert.ErrorContains(t, err, want)
	}
	f(``, "EOF")
	f(`{"schema_version": `, "unexpected EOF")
	f(`{}`, "no schema_version")
	f(`{"schema_version": 1}`, "no histogram")
	f(`{"schema_version": 2, "histogram": []}`, "schema_version is 2")
	f(`{"schema_version": 1, "histogram": [{"instances": "many"}]}`, "instances")
	f(`{"schema_version": 1, "histogram": []} {}`, "more follows")
}
