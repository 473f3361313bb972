package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// collected is what a JVM says of an old region and of its collectors.
type collected struct {
	uptime, oldUsed int64
	// counts and ends are those of the collectors.
	counts, ends map[string]int64
}

// collectedBy reads what a JVM says.
func collectedBy(t *testing.T, l life, recorded []byte) (c collected, text string) {
	t.Helper()
	answers, err := l.answers(recorded)
	require.NoError(t, err)
	read := func(mbean string, value any) {
		text += answers[mbean]
		require.NoError(t, json.Unmarshal([]byte(answers[mbean]), &struct{ Value any }{value}))
	}
	var runtime struct{ Uptime int64 }
	read("java.lang:type=Runtime", &runtime)
	var pools map[string]struct{ Usage struct{ Used int64 } }
	read("java.lang:type=MemoryPool,*", &pools)
	var collectors map[string]struct {
		CollectionCount int64
		LastGcInfo      struct{ EndTime int64 }
	}
	read("java.lang:type=GarbageCollector,*", &collectors)
	c = collected{uptime: runtime.Uptime, counts: map[string]int64{}, ends: map[string]int64{}}
	for name, p := range pools {
		if strings.Contains(name, "Old") {
			c.oldUsed = p.Usage.Used
		}
	}
	for name, g := range collectors {
		c.counts[name], c.ends[name] = g.CollectionCount, g.LastGcInfo.EndTime
	}
	return c, text
}

// Every JVM of the fleet grows older as a real one does: what it counts rises, its old
// region fills and is emptied, and no two characters do so in step.
func TestJVMsOfTheFleetAge(t *testing.T) {
	t.Parallel()
	number := regexp.MustCompile(`-?[0-9]+(\.[0-9]+)?(E-?[0-9]+)?`)
	for _, shape := range shapes() {
		recorded, err := os.ReadFile(filepath.Join("../../internal/jmx/testdata", shape))
		require.NoError(t, err)
		courses := map[string]bool{}
		for character := range characters {
			var before collected
			var firstText, course string
			falls := 0
			for polls := range int64(60) {
				now, text := collectedBy(t, life{character, polls, 10 * time.Second}, recorded)
				if polls == 0 {
					before, firstText = now, text
					continue
				}
				assert.Equal(t, number.ReplaceAllString(firstText, "0"), number.ReplaceAllString(text, "0"), "only numbers differ")
				assert.Equal(t, before.uptime+10_000, now.uptime)
				for name, count := range now.counts {
					assert.GreaterOrEqual(t, count, before.counts[name], name)
					assert.LessOrEqual(t, now.ends[name], now.uptime, name)
					if count > before.counts[name] {
						assert.Greater(t, now.ends[name], before.ends[name], name)
					} else {
						assert.Equal(t, before.ends[name], now.ends[name], name)
					}
				}
				if now.oldUsed < before.oldUsed {
					falls++
					course += number.FindString(text[strings.Index(text, "Uptime"):])
				} else {
					assert.Greater(t, now.oldUsed, before.oldUsed)
				}
				before = now
			}
			assert.GreaterOrEqual(t, falls, 4, "old collections")
			courses[course] = true
		}
		assert.Len(t, courses, characters, shape)
	}
}

// However long it runs, no JVM says that more of a region is in use than there is.
func TestJVMsOfTheFleetNeverHoldMoreThanTheirRegions(t *testing.T) {
	t.Parallel()
	for _, shape := range shapes() {
		recorded, err := os.ReadFile(filepath.Join("../../internal/jmx/testdata", shape))
		require.NoError(t, err)
		for character := range characters {
			for polls := int64(7); polls < 1_000_000; polls = polls*3 + 1 {
				assertWithinRegions(t, life{character, polls, time.Second}, recorded)
			}
		}
	}
}

// assertWithinRegions checks all that a JVM says of the use of its heap.
func assertWithinRegions(t *testing.T, l life, recorded []byte) {
	t.Helper()
	answers, err := l.answers(recorded)
	require.NoError(t, err)
	usage := regexp.MustCompile(`\{[^{}]*"used":[^{}]*\}`)
	seen := 0
	for mbean, text := range answers {
		for _, one := range usage.FindAllString(text, -1) {
			var u struct{ Used, Max int64 }
			require.NoError(t, json.Unmarshal([]byte(one), &u))
			if u.Max > 0 {
				seen++
				assert.LessOrEqual(t, u.Used, u.Max, "%s after %d polls: %s", mbean, l.polls, one)
			}
		}
	}
	assert.NotZero(t, seen)
}
