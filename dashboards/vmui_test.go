package dashboards_test

import (
	"fmt"
	"strings"
)

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

// vmuiSeries is how many series vmui draws in a panel. Of more it draws those that come first,
// by the names of the JVMs.
const vmuiSeries = 20

// vmuiMost is told where a panel shows only some of many JVMs.
const vmuiMost = " *Of many JVMs those that matter most are drawn.*"

// vmuiOf makes a dashboard for vmui: of all JVMs those that matter, and values in units that
// people read, as vmui only prints a suffix.
func vmuiOf(b board) vmuiBoard {
	out := vmuiBoard{Title: b.Title}
	for _, row := range b.Rows {
		r := vmuiRow{Title: row.Title}
		for _, p := range row.Panels {
			v := vmuiPanel{Title: p.Title, Description: p.Text, ShowLegend: true, Width: 6}
			for _, s := range p.Series {
				expr := vmuiExpr(s.Expr)
				if strings.Contains(s.Legend, "{{instance}}") && !strings.Contains(expr, "topk(") && !strings.Contains(expr, "bottomk(") {
					choice := "topk_max"
					if s.Lowest {
						choice = "bottomk_min"
					}
					expr = fmt.Sprintf("%s(%d, %s)", choice, vmuiSeries/len(p.Series), expr)
					v.Description = p.Text + vmuiMost
				}
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

func scaled(expr, by string) string { return "(" + expr + ") " + by }
