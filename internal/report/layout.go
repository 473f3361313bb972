package report

import (
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Bounds of the width, in columns.
const (
	// proseWidth is where sentences wrap when nobody gave a width, and the widest
	// line that reads well.
	proseWidth = 100
	// minWidth is the narrowest terminal the layout is made for.
	minWidth = 40
	// minFlexible is what the flexible column of a table gets at least.
	minFlexible = 16
	// wantedFlexible is what it gets before optional columns get any room.
	wantedFlexible = 32
)

// printer collects the text of one report. Its strings have been made printable
// before they get here.
type printer struct {
	strings.Builder
	palette
	// width is the terminal's width in columns, 0 for no limit.
	width int
}

// line writes its parts and ends the line.
func (p *printer) line(parts ...string) {
	for _, part := range parts {
		p.WriteString(part)
	}
	p.WriteByte('\n')
}

// heading starts a section, with a remark after its name.
func (p *printer) heading(name, remark string) {
	p.line()
	if remark == "" {
		p.line(p.paint(sgrBold, name))
		return
	}
	p.prose("  ", p.paint(sgrBold, name)+"  ", remark)
}

// prose writes wrapped text. The first line stands after first, the others after
// hanging, which are equally wide but where a line hangs back.
func (p *printer) prose(hanging, first, s string) {
	width := proseWidth
	if p.width > 0 {
		width = min(p.width, proseWidth)
	}
	width -= max(text.StringWidthWithoutEscSequences(first), text.StringWidth(hanging))
	before := first
	for _, row := range wrap(s, max(width, minFlexible)) {
		p.line(before, row)
		before = hanging
	}
}

// paragraph writes wrapped text with all lines indented alike.
func (p *printer) paragraph(indent int, s string) {
	p.prose(strings.Repeat(" ", indent), strings.Repeat(" ", indent), s)
}

// column describes one column of a table.
type column struct {
	title string
	// number columns are set flush right.
	number bool
	// flexible columns hold class names, which are shortened to make a table fit.
	// A table has one.
	flexible bool
	// optional columns are left out where the flexible one would get too narrow: the
	// greatest first, of those that are alike the last. 0 stays.
	optional int
}

// table writes rows under the columns' titles, all indented. len(rows[i]) is
// len(columns). Columns that are empty in every row are left out.
func (p *printer) table(indent int, columns []column, rows [][]string) {
	columns, rows = keep(columns, rows, func(i int) bool {
		return slices.ContainsFunc(rows, func(row []string) bool { return row[i] != "" })
	})
	columns, rows = p.fit(indent, columns, rows)

	t := table.NewWriter()
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	style.Format.Header = text.FormatDefault
	t.SetStyle(style)

	header := make(table.Row, len(columns))
	configs := make([]table.ColumnConfig, len(columns))
	for i, c := range columns {
		header[i] = c.title
		configs[i] = table.ColumnConfig{Number: i + 1}
		if c.number {
			configs[i].Align, configs[i].AlignHeader = text.AlignRight, text.AlignRight
		}
	}
	t.AppendHeader(header)
	t.SetColumnConfigs(configs)
	for _, cells := range rows {
		row := make(table.Row, len(cells))
		for i, cell := range cells {
			row[i] = cell
		}
		t.AppendRow(row)
	}
	for i, row := range strings.Split(t.Render(), "\n") {
		row = strings.TrimRight(row, " ")
		if i == 0 {
			row = p.paint(sgrDim, row)
		}
		p.line(strings.Repeat(" ", indent), row)
	}
}

// keep returns the columns whose index is wanted, with their cells.
func keep(columns []column, rows [][]string, wanted func(i int) bool) ([]column, [][]string) {
	var keptColumns []column
	keptRows := make([][]string, len(rows))
	for i, c := range columns {
		if !wanted(i) {
			continue
		}
		keptColumns = append(keptColumns, c)
		for r, row := range rows {
			keptRows[r] = append(keptRows[r], row[i])
		}
	}
	return keptColumns, keptRows
}

// fit makes the table no wider than the terminal: it leaves out optional columns
// and shortens the cells of the flexible one.
func (p *printer) fit(indent int, columns []column, rows [][]string) ([]column, [][]string) {
	flexible := slices.IndexFunc(columns, func(c column) bool { return c.flexible })
	if p.width == 0 || flexible < 0 {
		return columns, rows
	}
	room := p.width - indent
	for i := range columns {
		if i != flexible {
			room -= widest(columns, rows, i) + len("  ")
		}
	}
	for room < min(wantedFlexible, widest(columns, rows, flexible)) {
		least := 0
		for i, c := range columns {
			if c.optional > 0 && c.optional >= columns[least].optional {
				least = i
			}
		}
		if columns[least].optional == 0 {
			break
		}
		room += widest(columns, rows, least) + len("  ")
		columns, rows = keep(columns, rows, func(i int) bool { return i != least })
		flexible = slices.IndexFunc(columns, func(c column) bool { return c.flexible })
	}
	for _, row := range rows {
		row[flexible] = shortClass(row[flexible], max(room, minFlexible))
	}
	return columns, rows
}

// widest is the width of column i, its title included.
func widest(columns []column, rows [][]string, i int) int {
	w := text.StringWidth(columns[i].title)
	for _, row := range rows {
		w = max(w, text.StringWidth(row[i]))
	}
	return w
}

// shortClass abbreviates a class name to at most width columns: package by
// package from the left, then by cutting its beginning off.
func shortClass(name string, width int) string {
	parts := strings.Split(name, ".")
	for i := 0; i < len(parts)-1 && text.StringWidth(name) > width; i++ {
		if first := []rune(parts[i]); len(first) > 1 {
			parts[i] = string(first[:1])
		}
		name = strings.Join(parts, ".")
	}
	if text.StringWidth(name) <= width {
		return name
	}
	runes := []rune(name)
	for len(runes) > 0 && text.StringWidth(string(runes)) > width-1 {
		runes = runes[1:]
	}
	return "…" + string(runes)
}
