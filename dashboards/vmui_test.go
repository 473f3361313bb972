package dashboards_test

import "strings"

// vmuiBoard is what vmui understands of a dashboard.
type vmuiBoard struct {
	Title string    `json:"title"`
	Rows  []vmuiRow `json:"rows"`
}

type vmuiRow struct {
	Title  string      `json:"title"`
	Panels []vmuiPanel `json:"panels"`
}

type vmuiPanel struct {
	Title       string   `json:"title"`
	Description string   `json:"description"`
	Unit        string   `json:"unit"`
	Expr        []string `json:"expr"`
	Alias       []string `json:"alias"`
	// ShowLegend must be said: vmui hides it else.
	ShowLegend bool `json:"showLegend"`
	Width      int  `json:"width"`
}

// vmuiOf makes a dashboard for vmui: all JVMs, and values in units that people read, as
// vmui only prints a suffix.
func vmuiOf(b board) vmuiBoard {
	out := vmuiBoard{Title: b.Title}
	for _, row := range b.Rows {
		r := vmuiRow{Title: row.Title}
		for _, p := range row.Panels {
			v := vmuiPanel{Title: p.Title, Description: p.Text, ShowLegend: true, Width: 6}
			for _, s := range p.Series {
				expr := vmuiExpr(s.Expr)
				switch p.Unit {
				case "bytes":
					expr, v.Unit = scaled(expr, "/ 1048576"), "MiB"
				case "Bps":
					expr, v.Unit = scaled(expr, "/ 1048576"), "MiB/s"
				case "percentunit":
					expr, v.Unit = scaled(expr, "* 100"), "%"
				default:
					v.Unit = p.Unit
				}
				v.Expr, v.Alias = append(v.Expr, expr), append(v.Alias, s.Legend)
			}
			r.Panels = append(r.Panels, v)
		}
		out.Rows = append(out.Rows, r)
	}
	return out
}

// vmuiExpr leaves the choice of JVMs and of windows out: vmui has no variables, and
// MetricsQL picks windows by itself.
func vmuiExpr(expr string) string {
	return strings.NewReplacer("{$target}", "", "$target,", "", "[$window]", "").Replace(expr)
}

func scaled(expr, by string) string {
	if strings.ContainsAny(expr, " ") {
		expr = "(" + expr + ")"
	}
	return expr + " " + by
}
