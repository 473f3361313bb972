package tx

import (
	"strconv"
	"strings"
	"testing"
	"time"
	"unique"

	"github.com/stretchr/testify/assert"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

func TestStacksWithoutEndAreATreeThatHasOne(t *testing.T) {
	t.Parallel()
	rec := &Record{Start: time.Unix(0, 0), Elapsed: Elapsed{Ms: 10_000}}
	var samples []sample
	for i := range 10 {
		s := sample{at: rec.Start.Add(time.Duration(i) * time.Second), app: -1}
		for d := range maxNodes / 5 {
			s.stack = append(s.stack, unique.Make(jvm.Frame{Class: "shop.C" + strconv.Itoa(i), Method: "m" + strconv.Itoa(d)}))
		}
		samples = append(samples, s)
	}
	var count func(n *Node) int
	count = func(n *Node) int {
		sum := len(n.Children)
		for _, c := range n.Children {
			sum += count(c)
		}
		return sum
	}
	tree := mergeStacks(rec, samples)
	assert.Equal(t, maxNodes, count(tree))
	assert.Equal(t, 10, tree.Samples)
}

func TestVerdictsOnCallsAreForgotten(t *testing.T) {
	t.Parallel()
	c := newClassifier()
	for i := range maxVerdicts + 1 {
		c.frame(jvm.Frame{Class: "shop.C" + strconv.Itoa(i), Method: "m"})
	}
	assert.Len(t, c.byFrame, 1)
}

func TestPeersBeyondSoManyAreOne(t *testing.T) {
	t.Parallel()
	waits := peerWaits{}
	for i := range 2 * maxPeers {
		waits.of("db"+strconv.Itoa(i), "sql").Slow++
	}
	assert.Len(t, waits, maxPeers+1)
	assert.Equal(t, int64(maxPeers), waits.of(Other, "sql").Slow)
}

// One that hangs for a day is looked at each second.
func TestLocksOfOneThatHangsAreBounded(t *testing.T) {
	t.Parallel()
	tracker := New(Options{})
	key := Key{Processor: "p", Count: 1}
	hangs := &open{key: key}
	tracker.processors["p"] = &processor{open: hangs}
	for i := range 2 * maxLockSights {
		tracker.Owners(key, time.Unix(int64(i), 0), "shop.Lock@1", []jvm.Thread{{Name: "owner"}})
	}
	assert.Len(t, hangs.locks, maxLockSights)
}

func TestPagesListSoMany(t *testing.T) {
	t.Parallel()
	var rows []Active
	for i := range 2 * maxBoardRows {
		rows = append(rows, Active{ElapsedMs: int64(i)})
	}
	board := NewBoard(time.Unix(0, 0), nil, rows)
	assert.Len(t, board.Transactions, maxBoardRows)
	assert.Equal(t, int64(2*maxBoardRows-1), board.Transactions[0].ElapsedMs, "the oldest")
	assert.Equal(t, 2*maxBoardRows, board.Total)

	m := NewHeatMap(time.Unix(0, 0), time.Unix(100, 0), 10)
	for i := range 2 * maxHeatRoutes {
		m.Add(&Summary{Route: "/" + strconv.Itoa(i), End: time.Unix(50, 0)})
	}
	assert.Len(t, m.Heat().Routes, maxHeatRoutes)
}

func TestLongTextsAreCut(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", maxNameBytes)
	assert.Equal(t, "/"+long, NewRouter().Route("/"+long))
	assert.Equal(t, "/{long}", NewRouter().Route("/"+long+"-"))
	list := "select 1 from t where a in (1" + strings.Repeat(",1", maxSQLBytes) + ")"
	assert.True(t, strings.HasSuffix(NormaliseSQL(list, DialectPostgreSQL), " ..."), "what is behind so much is not read")
}
