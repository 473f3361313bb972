package finding

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestFamiliesBehindManyOthers: the loaders of generated code, of few classes each, come last,
// and are a family however many loaders of other code there are.
func TestFamiliesBehindManyOthers(t *testing.T) {
	t.Parallel()
	var all []*loader
	add := func(classes ...string) {
		l := &loader{class: "app.Loader", classes: classes}
		for _, c := range classes {
			l.patterns = append(l.patterns, namePattern(c))
		}
		all = append(all, l)
	}
	for i := range maxCompared + 500 {
		code := fmt.Sprintf("%c%c%c.", 'a'+i%26, 'a'+i/26%26, 'a'+i/676)
		add(code+"Main", code+"Other")
	}
	for i := range 30 {
		add(fmt.Sprintf("Script%d", i))
	}
	found := families(all)
	require.Len(t, found, maxCompared+501)
	assert.Len(t, found[0].all, 30)
	assert.True(t, found[0].generated)
}
