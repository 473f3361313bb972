package jmx

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"slices"
	"strings"
)

// policyHead says what the file is for. The JVM agent takes it by the option
// policyLocation=file:///..., a web application from its class path.
const policyHead = `<?xml version="1.0" encoding="utf-8"?>
<!-- What apm-sidecar asks of a JVM, and nothing else: no write, no search, no list, and
     of all operations those named here. Written by "apm-sidecar policy". -->
<restrict>
  <http>
    <method>post</method>
  </http>
  <commands>
    <command>version</command>
  </commands>
  <allow>
`

// Policy is a jolokia-access.xml with the attributes and operations that the sidecar
// uses; dumps adds the writing of heap dumps.
func Policy(dumps bool) []byte {
	var b bytes.Buffer
	b.WriteString(policyHead)
	grants := grantsOf(dumps)
	for _, mbean := range slices.SortedFunc(slices.Values(keys(grants)), cmp.Compare[string]) {
		g := grants[mbean]
		b.WriteString("    <mbean>\n")
		element(&b, "name", "", mbean)
		for _, name := range sorted(g.attributes) {
			element(&b, "attribute", ` mode="read"`, name)
		}
		for _, name := range sorted(g.operations) {
			element(&b, "operation", "", name)
		}
		b.WriteString("    </mbean>\n")
	}
	b.WriteString("  </allow>\n</restrict>\n")
	return b.Bytes()
}

// grant is what is allowed of an MBean.
type grant struct{ attributes, operations []string }

// grantsOf are all grants by MBean.
func grantsOf(dumps bool) map[string]*grant {
	grants := map[string]*grant{}
	of := func(mbean string) *grant {
		if grants[mbean] == nil {
			grants[mbean] = &grant{}
		}
		return grants[mbean]
	}
	for _, r := range pollReads() {
		of(r.MBean).attributes = append(of(r.MBean).attributes, r.Attribute...)
	}
	for _, op := range operations() {
		if op != opDumpHeap() || dumps {
			of(op.mbean).operations = append(of(op.mbean).operations, op.signature)
		}
	}
	return grants
}

// pollReads is everything that is ever read.
func pollReads() []request {
	var all []request
	for _, it := range fastTier() {
		all = append(all, it.request)
	}
	for _, it := range slowTier() {
		all = append(all, it.request)
	}
	return append(all, requestItems(everyDomain, nil)...)
}

// keys are those of the map, in no order.
func keys(m map[string]*grant) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	return out
}

// sorted is the list in order, without repetitions.
func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.SortFunc(list, strings.Compare)
	return slices.Compact(list)
}

// element writes one line.
func element(b *bytes.Buffer, name, attributes, text string) {
	b.WriteString("      <" + name + attributes + ">")
	// A bytes.Buffer takes everything.
	_ = xml.EscapeText(b, []byte(text))
	b.WriteString("</" + name + ">\n")
}
