// Package dashboards holds the dashboards and the alerting rules shipped with the
// programs.
package dashboards

import "embed"

// VMUI holds the predefined dashboards of vmui, one per file vmui/*.json.
//
//go:embed vmui/*.json
var VMUI embed.FS

// Alerts holds the alerting rules, in the form of Prometheus and vmalert.
//
//go:embed alerts/*.yml
var Alerts embed.FS
