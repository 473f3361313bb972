package report

import (
	"cmp"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

const (
	// mapHeight is the height of a treemap in pixels.
	mapHeight = 240
	// maxTiles bounds the tiles of a treemap; the others share one.
	maxTiles = 40
	// mapAspect is the width of a treemap by its height, about that of a wide screen.
	mapAspect = 4.5
)

// tile is one area of a treemap.
type tile struct {
	bytes             int64
	style             string
	label, sub, title string
}

// drawReferents draws the classes of the referents by what they cost.
func drawReferents(f *finding.Finalizers) picture {
	var tiles []tile
	for _, c := range f.Classes {
		bytes, measure := c.ShallowBytes, "own size"
		if c.RetainedBytes != nil && *c.RetainedBytes > bytes {
			bytes, measure = *c.RetainedBytes, "retained"
		}
		tiles = append(tiles, tile{bytes, paint(c.Class), shortName(c.Class), unit.Count(c.Total) + " · " + unit.Bytes(bytes),
			c.Class + times(c.Total) + "\n" + unit.Bytes(bytes) + " " + measure})
	}
	return drawTiles(tiles, "The classes of the objects with a finalize() method. The area is what they retain where that was measured, else their own size.")
}

// drawClasses draws the histogram.
func drawClasses(r *Report) picture {
	var tiles []tile
	rest := r.Heap.ShallowBytes
	for _, c := range r.Histogram[:min(len(r.Histogram), maxTiles)] {
		rest -= max(c.ShallowBytes, 0)
		tiles = append(tiles, tile{c.ShallowBytes, paint(c.Class), shortName(c.Class), unit.Bytes(c.ShallowBytes) + times(c.Instances),
			c.Class + times(c.Instances) + "\n" + unit.Bytes(c.ShallowBytes) + ", " + unit.Share(c.ShallowBytes, r.Heap.ShallowBytes) + " of all objects"})
	}
	if rest > 0 {
		tiles = append(tiles, tile{rest, "k-rest", "other classes", unit.Bytes(rest), "other classes\n" + unit.Bytes(rest)})
	}
	return drawTiles(tiles, "The area is the objects' own size.")
}

// drawTiles lays tiles out, the biggest first, as near to squares as they go.
//
// Source: Bruls, Huizing, van Wijk, "Squarified Treemaps" (2000).
func drawTiles(tiles []tile, about string) picture {
	tiles = slices.DeleteFunc(tiles, func(t tile) bool { return t.bytes <= 0 })
	slices.SortStableFunc(tiles, func(a, b tile) int { return cmp.Compare(b.bytes, a.bytes) })
	var total float64
	for _, t := range tiles {
		total += float64(t.bytes)
	}
	if total == 0 {
		return picture{}
	}
	p := picture{Height: mapHeight, About: about}
	x, y, w, h := 0.0, 0.0, mapAspect, 1.0
	scale := mapAspect / total
	for len(tiles) > 0 {
		side := min(w, h)
		n, sum := squareRow(tiles, side, scale)
		deep := sum * scale / side // of the row
		at := 0.0
		for _, t := range tiles[:n] {
			long := float64(t.bytes) * scale / deep
			if w >= h {
				p.tile(t, x, y+at, deep, long)
			} else {
				p.tile(t, x+at, y, long, deep)
			}
			at += long
		}
		if w >= h {
			x, w = x+deep, w-deep
		} else {
			y, h = y+deep, h-deep
		}
		tiles = tiles[n:]
	}
	return p
}

// squareRow is how many tiles stand in the next row along a side, and their sum: as
// long as another one makes the worst of them more like a square.
func squareRow(tiles []tile, side, scale float64) (n int, sum float64) {
	worst := func(n int, sum float64) float64 {
		area := sum * scale
		biggest, smallest := float64(tiles[0].bytes)*scale, float64(tiles[n-1].bytes)*scale
		return max(side*side*biggest/(area*area), area*area/(side*side*smallest))
	}
	n, sum = 1, float64(tiles[0].bytes)
	for n < len(tiles) && worst(n+1, sum+float64(tiles[n].bytes)) <= worst(n, sum) {
		sum += float64(tiles[n].bytes)
		n++
	}
	return n, sum
}

// tile adds a box, if it is big enough to be seen.
func (p *picture) tile(t tile, x, y, w, h float64) {
	const edge, line, word = 0.004, 0.09, 0.15
	if w < edge || h < edge {
		return
	}
	b := box{Class: t.style, Label: t.label, Sub: t.sub, Title: t.title}
	b.X, b.W = percent(int64(x/mapAspect*whole)), percent(int64(w/mapAspect*whole))
	b.Y, b.H = percent(int64(y*whole)), percent(int64(h*whole))
	if w < word || h < line {
		b.Label, b.Sub = "", ""
	}
	if h < 2*line {
		b.Sub = ""
	}
	p.Boxes = append(p.Boxes, b)
}
