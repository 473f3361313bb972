package finding

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// duplicateStrings finds texts that lie in the heap many times.
type duplicateStrings struct{}

const (
	// shownTexts is how many texts are shown, and shownRunes how much of each.
	shownTexts = 10
	shownRunes = 40
)

// Detect implements Detector.
func (duplicateStrings) Detect(ctx context.Context, h *Heap) ([]Finding, error) {
	total := int64(h.Tree.Total())
	least := max(total*suspectShare/100, suspectBytes)
	if h.Copies.WastedBytes < least {
		return nil, nil
	}
	texts, err := h.texts(ctx)
	if err != nil {
		return nil, err
	}
	var told, wasted, copies int64 // of the groups that are told
	var shown []Fact
	for _, g := range h.Copies.Groups {
		told += g.WastedBytes
		text, ok := texts[g.Examples[0]]
		if !ok {
			continue // no text
		}
		live := h.liveShare(g)
		wasted += int64(float64(g.WastedBytes) * live)
		copies += int64(float64(g.Count-1) * live)
		if len(shown) < shownTexts && live > 0 {
			shown = append(shown, fact("text", "%s copies, %s: %s", unit.Count(g.Count), unit.Bytes(g.WastedBytes), maskText(text)))
		}
	}
	// The many small groups are taken to be like the big ones.
	if rest := h.Copies.WastedBytes - told; told > 0 && rest > 0 {
		share := float64(wasted) / float64(told)
		wasted += int64(float64(rest) * share)
	}
	if wasted < least {
		return nil, nil
	}
	p := h.pressure()
	f := Finding{
		Kind: "duplicate-strings", Severity: SeverityInfo, Confidence: ConfidenceMedium,
		Culprit: Culprit{Class: "java.lang.String"},
		Objects: copies,
		Bytes:   wasted,
		Title: fmt.Sprintf("Copies of the same texts waste %s (%s of the reachable heap)", unit.Bytes(wasted),
			unit.Share(wasted, total)),
		Summary: fmt.Sprintf("The heap has %s byte[] and char[] of up to 8 KiB with %s different contents. The %s texts that waste most have %s superfluous copies; each takes a String besides.",
			unit.Count(h.Copies.Arrays), unit.Count(h.Copies.Distinct), unit.Count(int64(len(texts))), unit.Count(copies)),
		Advice:      "Share the texts where they are read in: a map of those already seen, String.intern(), enums or codes instead of text. With G1, ZGC or Parallel (JDK 18) -XX:+UseStringDeduplication does it without a change.",
		Fingerprint: fingerprint("duplicate-strings"),
		Evidence: Evidence{
			Facts:   append([]Fact{fact("arrays compared", "%s", unit.Count(h.Copies.Arrays)), fact("different contents", "%s", unit.Count(h.Copies.Distinct))}, shown...),
			Refutes: "most of the copies die with the next collection",
		},
	}
	f.Severity = p.severity(wasted)
	return []Finding{f}, nil
}

// liveShare estimates by the examples how many of a group's arrays are reachable.
func (h *Heap) liveShare(g heap.CopyGroup) float64 {
	live := 0
	for _, o := range g.Examples {
		if h.reachable(o) {
			live++
		}
	}
	return float64(live) / float64(len(g.Examples))
}

// texts reads the groups' contents that are text. Errors: that of ctx.
func (h *Heap) texts(ctx context.Context) (map[heap.ObjID]string, error) {
	var examples []heap.ObjID
	for _, g := range h.Copies.Groups {
		examples = append(examples, g.Examples[0])
	}
	texts := map[heap.ObjID]string{}
	err := h.Read(ctx, examples, func(c heap.Content) {
		if s, ok := textOf(c); ok {
			texts[c.Object] = s
		}
	})
	return texts, err
}

// textOf decodes the content of a String: Latin-1 or, two bytes each, UTF-16.
func textOf(c heap.Content) (string, bool) {
	latin := make([]rune, 0, len(c.Data))
	for _, b := range c.Data {
		latin = append(latin, rune(b))
	}
	if c.Elem == hprof.TypeByte && printable(latin) {
		return string(latin), true
	}
	big, little := make([]rune, 0, len(c.Data)/2), make([]rune, 0, len(c.Data)/2)
	for i := 0; i+1 < len(c.Data); i += 2 {
		big = append(big, latin[i]<<8|latin[i+1])
		little = append(little, latin[i+1]<<8|latin[i])
	}
	switch {
	case c.Elem == hprof.TypeChar && printable(big):
		return string(big), true
	case c.Elem == hprof.TypeByte && len(c.Data)%2 == 0 && printable(little):
		return string(little), true
	}
	return "", false
}

// printable says whether all of it is text.
func printable(text []rune) bool {
	for _, r := range text {
		if !unicode.IsPrint(r) && !unicode.IsSpace(r) {
			return false
		}
	}
	return len(text) > 0
}

// secret finds words after which a value must not be shown, and credentials in a URL.
var secret = regexp.MustCompile(`(?i)(passw|pwd|secret|token|api.?key|credential|authorization|bearer|private key|://[^/@\s]*:[^/@\s]*@)`)

// maskText returns as much of a text as tells it from others, nothing of one that may be
// a secret: such a word in it, or a long string of letters and digits in one piece.
func maskText(s string) string {
	n := utf8.RuneCountInString(s)
	if secret.MatchString(s) || opaque(s) {
		return fmt.Sprintf("(%s, not shown: it may be a secret)", unit.Plural(int64(n), "character", "characters"))
	}
	return fmt.Sprintf("%q", clip(s, shownRunes))
}

// opaque says whether a text looks like a key or a token: 16 characters or more without
// a space, with digits and letters among each other.
func opaque(s string) bool {
	if len(s) < 16 || strings.ContainsFunc(s, unicode.IsSpace) {
		return false
	}
	changes, before := 0, false
	for i, r := range s {
		digit := unicode.IsDigit(r)
		if i > 0 && digit != before {
			changes++
		}
		before = digit
	}
	return changes >= 4
}
