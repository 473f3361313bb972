package tx

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// Heat counts slow transactions by when they ended and by how long they took: what a
// scatter chart shows of a few, for any number of them. It is the answer of the API.
type Heat struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Columns divide the time from From to To evenly.
	Columns int `json:"columns"`
	// BoundsMs divide the durations: row r has those of BoundsMs[r] to less than
	// BoundsMs[r+1].
	BoundsMs []int64 `json:"bounds_ms"`
	Total    int     `json:"total"`
	// Cells are those that are not empty, by column, then by row.
	Cells []HeatCell `json:"cells"`
	// Classes count the main classes in the order of charts, Routes the routes with
	// the most, at most 100.
	Classes []ClassCount `json:"classes"`
	Routes  []RouteCount `json:"routes"`
}

// HeatCell is a cell of Heat, by number from 0. Failed is part of Count.
type HeatCell struct {
	Column int `json:"column"`
	Row    int `json:"row"`
	Count  int `json:"count"`
	Failed int `json:"failed"`
}

// RouteCount is the number of transactions of a route.
type RouteCount struct {
	Route string `json:"route"`
	Count int    `json:"count"`
}

const (
	// heatRows are all rows there can be, from heatLowMs to three days.
	heatRows  = 40
	heatLowMs = 250
	// maxHeatRoutes bounds the routes of a Heat.
	maxHeatRoutes = 100
)

// heatBoundMs is where a row begins: two rows double the duration.
func heatBoundMs(row int) int64 { return int64(math.Round(heatLowMs * math.Pow(2, float64(row)/2))) }

// HeatMap builds a Heat.
type HeatMap struct {
	from    time.Time
	to      time.Time
	columns int
	cells   map[[2]int]HeatCell
	classes map[Class]int
	routes  map[string]int
	total   int
}

// NewHeatMap is one of those that ended from from to before to, which is later; columns
// is at least 1.
func NewHeatMap(from, to time.Time, columns int) *HeatMap {
	return &HeatMap{from: from, to: to, columns: columns, cells: map[[2]int]HeatCell{}, classes: map[Class]int{}, routes: map[string]int{}}
}

// Add counts a transaction; those of another time are left out.
func (m *HeatMap) Add(s *Summary) {
	if s.End.Before(m.from) || !s.End.Before(m.to) {
		return
	}
	column := int(float64(s.End.Sub(m.from)) / float64(m.to.Sub(m.from)) * float64(m.columns))
	row := 0
	for row < heatRows-1 && s.ElapsedMs >= heatBoundMs(row+1) {
		row++
	}
	key := [2]int{min(column, m.columns-1), row}
	cell := m.cells[key]
	cell.Column, cell.Row = key[0], row
	cell.Count++
	if s.State == StateFailed {
		cell.Failed++
	}
	m.cells[key] = cell
	m.classes[cmp.Or(s.Class, ClassUnknown)]++
	m.routes[s.Route]++
	m.total++
}

// Heat is what was counted, without the empty rows above and below, but at least from
// 1 to 16 s.
func (m *HeatMap) Heat() *Heat {
	h := &Heat{From: m.from, To: m.to, Columns: m.columns, Total: m.total, Cells: []HeatCell{}, Classes: []ClassCount{}, Routes: []RouteCount{}}
	low, high := 4, 11 // 1 s, 16 s
	for _, cell := range m.cells {
		low, high = min(low, cell.Row), max(high, cell.Row)
		h.Cells = append(h.Cells, cell)
	}
	for row := low; row <= high+1; row++ {
		h.BoundsMs = append(h.BoundsMs, heatBoundMs(row))
	}
	for i := range h.Cells {
		h.Cells[i].Row -= low
	}
	slices.SortFunc(h.Cells, func(a, b HeatCell) int { return cmp.Or(cmp.Compare(a.Column, b.Column), cmp.Compare(a.Row, b.Row)) })
	for _, c := range Classes() {
		if n := m.classes[c]; n > 0 {
			h.Classes = append(h.Classes, ClassCount{c, n})
		}
	}
	for route, n := range m.routes {
		h.Routes = append(h.Routes, RouteCount{route, n})
	}
	slices.SortFunc(h.Routes, func(a, b RouteCount) int { return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Route, b.Route)) })
	h.Routes = h.Routes[:min(len(h.Routes), maxHeatRoutes)]
	return h
}
