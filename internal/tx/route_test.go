package tx_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/apm-sidecar/apm-sidecar/internal/tx"
)

func TestRoutes(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/":                    "/",
		"":                     "",
		"/orders/1234/items/5": "/orders/{id}/items/{id}",
		"/api/v2/orders":       "/api/v2/orders",
		"/u/6f1e2d3c-1111-2222-3333-444455556666":          "/u/{uuid}",
		"/commit/9fceb02d0ae598e95dc970b74767f19372d61af8": "/commit/{hex}",
		"/facade/decade":               "/facade/decade",
		"/report/2026-01-31":           "/report/{date}",
		"/user/jim@example.com/home":   "/user/{email}/home",
		"/file/a1b2c3d4e5f6g7h8i9j0k1": "/file/{key}",
		"/cart;jsessionid=AB12CD/pay":  "/cart/pay",
		"/search?q=secret":             "/search",
		"/a/b/c/d/e/f/g/h/i/j":         "/a/b/c/d/e/f/g/h/*",
		"/x\"y\\z\n":                   "/x_y_z_",
	} {
		assert.Equal(t, want, tx.NewRouter().Route(path), path)
	}
}

func TestRoutesAreBounded(t *testing.T) {
	t.Parallel()
	r := tx.NewRouter()
	seen := map[string]bool{}
	for i := range 3000 {
		seen[r.Route("/shop/item-"+word(i))] = true
		seen[r.Route(fmt.Sprintf("/%s/%s/%s", word(i%30), word(i%31), word(i%37)))] = true
	}
	assert.LessOrEqual(t, len(seen), 301)
	assert.Equal(t, "/shop/*", r.Route("/shop/item-anything"))
	assert.Equal(t, tx.Other, r.Route("/never/seen/so-far"))
}

// word is a different word of letters for each number.
func word(i int) string {
	w := "w"
	for ; i > 0; i /= 26 {
		w += string(rune('a' + i%26))
	}
	return w + "x"
}
