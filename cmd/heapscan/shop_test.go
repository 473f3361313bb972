package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// shop is a heap with an object of each reachability, by name, for the commands that
// look at single objects.
func shop(idSize int) (*hproftest.Dump, map[string]uint64) {
	j := hproftest.NewJDK(21, idSize)
	item := j.Class("com.acme.Item", j.Object, hproftest.Ref("next"), hproftest.Int("id"))
	special := j.Class("com.acme.SpecialItem", item, hproftest.Ref("name"), hproftest.Int("id"), hproftest.Bool("sold"))
	newItem := func(id int32) *hproftest.Object { return j.New(item).Set("id", id) }

	chain := newItem(0)
	last := chain
	for range 300 {
		chain = j.New(item).Set("next", chain)
	}
	elements := make([]*hproftest.Object, 1000)
	elements[0], elements[777] = newItem(1), newItem(777)
	shelf := j.Array(j.Objects, elements...)
	star := j.New(special).Set("name", j.String("a \x1b[31mred\x1b[0m star")).Set("com.acme.SpecialItem.id", int32(-5)).
		Set("com.acme.Item.id", int32(9)).Set("sold", true)
	soft, weak, final, local := newItem(2), newItem(3), newItem(4), newItem(5)
	behindFinal := newItem(6)
	final.Set("next", behindFinal)
	j.Finalizer(final, hproftest.Registered)
	j.Finalizer(star, hproftest.Registered)
	garbage := newItem(7)
	j.New(item).Set("next", garbage)

	shop := j.Class("com.acme.Shop", j.Object).Static("chain", chain).Static("shelf", shelf).Static("star", star).
		Static("soft", j.Soft(soft)).Static("weak", j.Weak(weak)).Static("open", true)
	worker := j.NewThread(j.Thread, "worker-1",
		hproftest.Frame{Class: j.Object, Method: "wait0", Line: -3},
		hproftest.Frame{Class: shop, Method: "sell", Line: 42, Locals: []*hproftest.Object{local, shelf}})
	j.SetThread(worker, 7, true, 0x191)
	j.StackRoot(hprof.SubRootJNILocal, local, 1, 0)
	return j.Finish(), map[string]uint64{
		"LAST": last.ID, "SHELF": shelf.ID, "FAR": elements[777].ID, "STAR": star.ID, "SOFT": soft.ID, "WEAK": weak.ID, "FINAL": final.ID,
		"BEHIND": behindFinal.ID, "LOCAL": local.ID, "GARBAGE": garbage.ID, "SHOP": shop.ID, "WORKER": worker.ID, "INSIDE": shelf.ID + 8,
	}
}

// mkshop is the script command "mkshop FILE [IDSIZE [BYTES]]": it writes the shop as
// mkdump does, and sets a variable with the address of each named object, in capital
// letters for its hexadecimal digits too where the name ends in _UPPER, in decimal in
// _DECIMAL.
func mkshop(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 3 {
		ts.Fatalf("usage: mkshop FILE [IDSIZE [BYTES]]")
	}
	numbers := []int{8, 0}
	for i, arg := range args[1:] {
		n, err := strconv.Atoi(arg)
		ts.Check(err)
		numbers[i] = n
	}
	dump, named := shop(numbers[0])
	for name, id := range named {
		ts.Setenv(name, fmt.Sprintf("%#x", id))
		ts.Setenv(name+"_UPPER", fmt.Sprintf("0X%X", id))
		ts.Setenv(name+"_DECIMAL", strconv.FormatUint(id, 10))
	}
	data := dump.Encode(hproftest.Shape{SegmentBytes: 100_000, Gzip: strings.HasSuffix(args[0], ".gz"), Zstd: strings.HasSuffix(args[0], ".zst")})
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data[:len(data)-numbers[1]], 0o600))
}
