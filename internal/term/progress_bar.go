package term

import (
	"io"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// Widths in columns: of the bar itself, so that all fits on 80, and of the line
// where w is no terminal that could tell.
const (
	barCells      = 12
	fallbackWidth = 80
)

// drawBar is the reporter of the mode Bar. The bar is gone when it returns.
func (p *Progress) drawBar(w io.Writer) {
	container := mpb.New(mpb.WithOutput(w), mpb.WithAutoRefresh(), mpb.WithRefreshRate(barInterval), mpb.WithWidth(fallbackWidth))
	// A total of zero keeps the bar open until it is told to end, also where the
	// work turns out to be more than was thought.
	bar := container.New(0, mpb.BarStyle().Lbound("[").Filler("=").Tip(">").Padding(" ").Rbound("]"),
		mpb.BarWidth(barCells),
		mpb.PrependDecorators(decor.Any(func(decor.Statistics) string { return p.current.Load().phase })),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return p.status(p.current.Load(), false) })))

	ticker := time.NewTicker(barInterval)
	defer ticker.Stop()
	for {
		select {
		case <-p.stop:
			bar.Abort(true)
			container.Wait()
			return
		case <-ticker.C:
			s := p.current.Load()
			bar.SetTotal(s.total, false)
			bar.SetCurrent(s.done)
		}
	}
}
