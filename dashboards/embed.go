// Package dashboards holds the dashboards shipped with the programs.
package dashboards

import "embed"

// VMUI holds the predefined dashboards of vmui, one per file vmui/*.json.
//
//go:embed vmui/*.json
var VMUI embed.FS
