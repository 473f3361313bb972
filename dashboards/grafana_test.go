package dashboards_test

import "strings"

// object is a piece of JSON.
type object map[string]any

// The grid of Grafana has 24 columns.
const (
	columns     = 24
	panelWidth  = 12
	panelHeight = 8
	statWidth   = 6
	statHeight  = 4
)

// grafanaOf makes a dashboard for Grafana with a data source of that type. Panels are
// numbered through, as links of alerts name them.
func grafanaOf(b board, source, suffix string) object {
	ds := object{"type": source, "uid": "${ds}"}
	var panels []object
	id, y := 0, 0
	for r, row := range b.Rows {
		panels = append(panels, object{
			"id": 1000 + r, "type": "row", "title": row.Title, "collapsed": false, "panels": []object{},
			"gridPos": object{"x": 0, "y": y, "w": columns, "h": 1},
		})
		y++
		x, height := 0, 0
		for _, p := range row.Panels {
			id++
			w, h := panelWidth, panelHeight
			if p.Kind == "stat" {
				w, h = statWidth, statHeight
			}
			if x+w > columns || height != 0 && h != height {
				x, y = 0, y+height
			}
			height = h
			panels = append(panels, grafanaPanel(p, id, ds, object{"x": x, "y": y, "w": w, "h": h}))
			x += w
		}
		y += height
	}
	return object{
		"uid": b.UID + suffix, "title": "apm-sidecar: " + b.Title, "tags": []string{"apm-sidecar", "jvm"},
		"schemaVersion": 40, "editable": true, "graphTooltip": 1, "refresh": "30s", "timezone": "browser",
		"time":        object{"from": "now-1h", "to": "now"},
		"links":       []object{{"type": "dashboards", "title": "apm-sidecar", "tags": []string{"apm-sidecar"}, "asDropdown": true, "includeVars": true, "keepTime": true, "targetBlank": false, "icon": "external link", "tooltip": ""}},
		"templating":  object{"list": variables(source, ds)},
		"annotations": object{"list": []object{restarts(ds)}},
		"panels":      panels,
	}
}

// variables choose the data source and the JVMs.
func variables(source string, ds object) []object {
	choice := func(name, label, query string) object {
		return object{
			"name": name, "label": label, "type": "query", "datasource": ds, "definition": query,
			"query":   object{"query": query, "refId": "variable-" + name},
			"refresh": 2, "sort": 1, "multi": true, "includeAll": true, "allValue": ".*", "current": object{"text": "All", "value": "$__all"},
		}
	}
	return []object{
		{"name": "ds", "label": "data source", "type": "datasource", "query": source},
		choice("job", "job", "label_values(apm_sidecar_target_up, job)"),
		choice("instance", "instance", `label_values(apm_sidecar_target_up{job=~"$job"}, instance)`),
	}
}

// restarts marks the starts of JVMs on every chart.
func restarts(ds object) object {
	return object{
		"name": "restarts", "enable": true, "iconColor": "orange", "datasource": ds,
		"expr":        grafanaExpr("changes(process_start_time_seconds{$target}[$window]) > 0"),
		"titleFormat": "restart", "textFormat": "{{instance}}", "step": "60s",
	}
}

func grafanaPanel(p panel, id int, ds, at object) object {
	var targets []object
	for i, s := range p.Series {
		targets = append(targets, object{
			"refId": string(rune('A' + i)), "datasource": ds, "editorMode": "code", "range": true,
			"expr": grafanaExpr(s.Expr), "legendFormat": s.Legend,
		})
	}
	kind := p.Kind
	options := object{"colorMode": "value", "graphMode": "area", "reduceOptions": object{"calcs": []string{"lastNotNull"}}}
	defaults := object{"unit": p.Unit}
	if kind == "" {
		kind = "timeseries"
		options = object{
			"legend":  object{"displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": []string{}},
			"tooltip": object{"mode": "multi", "sort": "desc"},
		}
		defaults["custom"] = object{"fillOpacity": 5, "lineWidth": 1, "showPoints": "never", "spanNulls": false}
	}
	if p.Unit == "" {
		defaults["unit"] = "short"
	}
	return object{
		"id": id, "type": kind, "title": p.Title, "description": p.Text, "datasource": ds, "gridPos": at, "targets": targets,
		"fieldConfig": object{"defaults": defaults, "overrides": []object{}}, "options": options,
	}
}

// grafanaExpr has the variables chosen on the dashboard.
func grafanaExpr(expr string) string {
	return strings.NewReplacer("$target", `job=~"$job",instance=~"$instance"`, "[$window]", "[$__rate_interval]").Replace(expr)
}
