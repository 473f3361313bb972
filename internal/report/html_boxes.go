package report

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// picture is a chart of labelled boxes. Places along the width are percentages, so that
// it fits every screen while its text keeps its size.
type picture struct {
	// Height is in pixels; 0 where there is nothing to draw.
	Height int
	Boxes  []box
	// About says what the areas mean.
	About string
}

// box is one rectangle with its text.
type box struct {
	X, Y, W, H string
	// From and Wide are X and W in millionths, for zooming.
	From, Wide int64
	Class      string // of the style
	Label, Sub string
	Title      string
}

const (
	// whole is the width of a picture.
	whole = 1_000_000
	// rowHeight is the height of an icicle's row in pixels.
	rowHeight = 24
	// maxIcicleDepth bounds an icicle's rows.
	maxIcicleDepth = 12
	// thin is the width below which a box is not drawn, narrow that below which it has
	// no text.
	thin, narrow = whole / 400, whole / 60
)

// percent renders a part of whole.
func percent(n int64) string {
	return strconv.FormatFloat(float64(n)*100/whole, 'f', 3, 64) + "%"
}

// portion is part of total in widths of wide, also for numbers that make no sense.
func portion(part, total, wide int64) int64 {
	if part <= 0 || total <= 0 {
		return 0
	}
	return int64(min(float64(part)/float64(total), 1) * float64(wide))
}

// icicle collects the boxes of rows that get narrower from the roots down.
type icicle struct{ picture }

// add draws a box in a row, if it is wide enough to be seen.
func (p *icicle) add(depth int, from, wide int64, style, label, title string) {
	if wide < thin || depth >= maxIcicleDepth {
		return
	}
	if wide < narrow {
		label = ""
	}
	p.Height = max(p.Height, (depth+1)*rowHeight)
	p.Boxes = append(p.Boxes, box{
		X: percent(from), W: percent(wide), Y: strconv.Itoa(depth * rowHeight), H: strconv.Itoa(rowHeight - 1),
		From: from, Wide: wide, Class: style, Label: label, Title: title,
	})
}

// drawDominators draws the dominator tree: what is kept hangs below what keeps it.
func drawDominators(r *Report) picture {
	if len(r.DominatorTree) == 0 || r.Heap.ReachableBytes == nil {
		return picture{}
	}
	total := *r.Heap.ReachableBytes
	p := icicle{}
	p.add(0, 0, whole, "k-root", "reachable heap · "+unit.Bytes(total), "all that GC roots reach: "+unit.Bytes(total))
	next, end := []int64{0}, []int64{whole} // by depth: what is left for boxes
	for _, n := range r.DominatorTree {
		if n.Depth < 0 || n.Depth >= len(next) {
			continue // its parent is missing
		}
		next, end = next[:n.Depth+1], end[:n.Depth+1]
		from := next[n.Depth]
		w := min(portion(n.RetainedBytes, total, whole), end[n.Depth]-from)
		next[n.Depth] += w
		p.add(n.Depth+1, from, w, paint(n.Class), shortName(n.name())+times(n.Objects)+" · "+unit.Bytes(n.RetainedBytes),
			n.name()+times(n.Objects)+"\nkeeps "+unit.Bytes(n.RetainedBytes)+", "+unit.Share(n.RetainedBytes, total)+" of the reachable heap\nown size "+unit.Bytes(n.ShallowBytes))
		next, end = append(next, from), append(end, from+w)
	}
	p.About = "Each box keeps what lies below it: without it, all of that would be garbage. The width is what it retains."
	return p.picture
}

// times is how many objects a box stands for, where it is not one.
func times(n int64) string {
	if n == 1 {
		return ""
	}
	return " ×" + unit.Count(n)
}

// shortName is a class name without packages, also of a "class x.Y".
func shortName(name string) string {
	head, rest := "", name
	if after, ok := strings.CutPrefix(name, "class "); ok {
		head, rest = "class ", after
	}
	class, tail, _ := strings.Cut(rest, " ")
	if tail != "" {
		tail = " " + tail
	}
	return head + class[strings.LastIndexByte(class, '.')+1:] + tail
}

// paints is how many colours tell packages apart.
const paints = 6

// paint is the style of a class: one for those of the JDK, some for others.
func paint(class string) string {
	bare := strings.TrimRight(strings.TrimPrefix(class, "class "), "[]")
	at := strings.LastIndexByte(bare, '.')
	if at < 0 {
		return "k-jdk" // an array of primitives
	}
	for _, prefix := range []string{"java.", "javax.", "jdk.", "sun.", "com.sun."} {
		if strings.HasPrefix(bare, prefix) {
			return "k-jdk"
		}
	}
	parts := strings.SplitN(bare[:at], ".", 4)
	sum := uint32(2166136261) // FNV-1a
	for _, b := range []byte(strings.Join(parts[:min(len(parts), 3)], ".")) {
		sum = (sum ^ uint32(b)) * 16777619
	}
	return "k" + strconv.Itoa(int(sum>>8%paints))
}

// holder is a node of the merged holder paths.
type holder struct {
	label, title, style string
	objects             int64
	below               []*holder
}

// child returns the node below h with a label, made where there is none.
func (h *holder) child(title, label, style string) *holder {
	for _, c := range h.below {
		if c.title == title {
			return c
		}
	}
	c := &holder{title: title, label: label, style: style}
	h.below = append(h.below, c)
	return c
}

// drawHolders draws who holds the held referents, GC roots on top.
func drawHolders(f *finding.Finalizers) picture {
	top := &holder{}
	for _, c := range f.Classes {
		left := c.States.RegisteredHeld
		if len(c.Paths) == 0 {
			continue
		}
		for _, path := range c.Paths {
			left -= path.Objects
			top.objects += path.Objects
			at := top.child(rootName(path), rootName(path), "k-root")
			at.objects += path.Objects
			for _, s := range path.Steps {
				title := s.Class
				if s.Repeat > 1 {
					title += times(int64(s.Repeat)) + " in a row"
				}
				if s.Object != "" {
					title += " @ " + s.Object
				}
				label := shortName(s.Class)
				if s.Field != "" {
					title += "\nheld by its field " + s.Field
					label += " ." + s.Field
				}
				at = at.child(title, label, paint(s.Class))
				at.objects += path.Objects
			}
		}
		if left > 0 {
			top.objects += left
			other := top.child("on other paths", "on other paths", "k-rest")
			other.objects += left
			at := other.child(c.Class, shortName(c.Class), paint(c.Class))
			at.objects += left
		}
	}
	if top.objects == 0 {
		return picture{}
	}
	p := icicle{}
	p.holder(top, 0, 0, top.objects)
	p.About = "From the GC roots down to the referents: each box holds those below it. The width is the number of referents held."
	return p.picture
}

// holder draws the nodes below h, widest first.
func (p *icicle) holder(h *holder, depth int, from, total int64) {
	slices.SortStableFunc(h.below, func(a, b *holder) int { return cmp.Compare(b.objects, a.objects) })
	for _, c := range h.below {
		w := portion(c.objects, total, whole)
		p.add(depth, from, w, c.style, c.label+" · "+unit.Count(c.objects), c.title+"\n"+unit.Plural(c.objects, "referent", "referents"))
		p.holder(c, depth+1, from, total)
		from += w
	}
}

// rootName names a path's GC root.
func rootName(path finding.Path) string {
	name := cmp.Or(path.Root, "GC root")
	if path.Thread != "" {
		name += ` "` + path.Thread + `"`
	}
	if path.Frame != "" {
		name += " in " + path.Frame
	}
	return name
}
