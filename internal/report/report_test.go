package report

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestPartial(t *testing.T) {
	f := func(r Report, want bool) {
		t.Helper()
		assert.Equal(t, want, r.Partial())
	}
	f(Report{}, false)
	f(Report{Warnings: []Warning{{Code: "several-dumps"}}}, false)
	f(Report{Warnings: []Warning{{Code: "several-dumps"}, {Code: WarningDamaged}}}, true)
	f(Report{Warnings: []Warning{{Code: WarningTruncated}}}, true)
	f(Report{Dump: Dump{Truncated: true}}, true)
}

func TestWithHistogramRows(t *testing.T) {
	r := seedReport()
	all, omitted := len(r.Histogram), r.Limits.HistogramOmitted

	cut := r.WithHistogramRows(2)
	assert.Len(t, cut.Histogram, 2)
	assert.Equal(t, omitted+int64(all)-2, cut.Limits.HistogramOmitted)
	assert.Equal(t, 2, cut.Limits.HistogramRows)
	assert.Equal(t, seedReport(), r, "the report itself stays as it is")

	whole := r.WithHistogramRows(all + 1)
	assert.Len(t, whole.Histogram, all)
	assert.Equal(t, omitted, whole.Limits.HistogramOmitted)
}

func TestWarningString(t *testing.T) {
	assert.Equal(t, "no frames", Warning{Message: "no frames"}.String())
	assert.Equal(t, "cut off (offset 42)", Warning{Message: "cut off", Offset: new(int64(42))}.String())
	assert.Equal(t, "cut off at offset 42", Warning{Message: "cut off at offset 42", Offset: new(int64(42))}.String())
}
