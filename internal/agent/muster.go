package agent

import (
	"log/slog"
	"sync"
)

// maxGreeted is how many targets that come together have a line in the log each when they
// answer for the first time.
const maxGreeted = 20

// muster counts the first answers of targets that came together, too many for a line each.
type muster struct {
	log *slog.Logger

	mu               sync.Mutex
	left, up, silent int
}

// newMuster is nil where the targets have their lines.
func newMuster(targets int, log *slog.Logger) *muster {
	if targets <= maxGreeted {
		return nil
	}
	return &muster{log: log, left: targets}
}

// came notes how the first poll of one went.
func (m *muster) came(up bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if up {
		m.up++
	} else {
		m.silent++
	}
	m.leave()
}

// gone notes that one went before its first poll.
func (m *muster) gone() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.leave()
}

// leave has the sum logged by the last one, unless none of them was polled. mu is held.
func (m *muster) leave() {
	if m.left--; m.left == 0 && m.up+m.silent > 0 {
		m.log.Info("targets were polled for the first time", slog.Int("up", m.up), slog.Int("down", m.silent))
	}
}
