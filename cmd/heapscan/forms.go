package main

import (
	"io"

	"github.com/apm-sidecar/apm-sidecar/internal/report"
	"github.com/apm-sidecar/apm-sidecar/internal/term"
)

// formsHelp is the part of the help texts on the forms of a report.
const formsHelp = `

Forms: text for a terminal, html for a page of its own with pictures, markdown for a
ticket, json for programs, pprof for "go tool pprof" (-http shows a flame graph of what
keeps the memory; -sample_index picks bytes, objects, held_bytes or held_objects).`

// reportFormats are the forms of a whole report, the default first.
func reportFormats() []format {
	return []format{formatText, formatJSON, formatHTML, formatMarkdown, formatPprof}
}

// checkForm refuses to fill a terminal with what nobody can read there.
func checkForm(env environment, f format, output string) error {
	if f == formatPprof && output == "-" && term.IsTerminal(env.stdout) {
		return usagef("--format pprof is not for terminals: -o heap.pb.gz writes a file")
	}
	return nil
}

// writeReport writes a report in a form.
func writeReport(env environment, r *report.Report, f format, output string) error {
	return writeOutput(env, output, func(w io.Writer) error {
		switch f {
		case formatJSON:
			return report.JSON(w, r)
		case formatHTML:
			return report.HTML(w, r)
		case formatMarkdown:
			return report.Markdown(w, r)
		case formatPprof:
			return report.Profile(w, r)
		default:
			return report.Text(w, r, textOptions(env, output))
		}
	})
}
