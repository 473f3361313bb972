package harness

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// Alertmanager is that of Debian's package. It groups alerts by job and instance and
// posts them to webhook a second after the first.
func (b *Bench) Alertmanager(ctx context.Context, webhook string) (*Receiver, error) {
	program, data, ports, err := b.receiverParts(ctx, "prometheus-alertmanager", 1)
	if err != nil {
		return nil, err
	}
	config := filepath.Join(data, "alertmanager.yml")
	text := fmt.Sprintf(`route: {receiver: hook, group_by: [job, instance], group_wait: 1s, group_interval: 5s, repeat_interval: 1h}
receivers: [{name: hook, webhook_configs: [{url: %q}]}]
`, webhook)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	base := "http://127.0.0.1:" + ports[0]
	return b.startReceiver(ctx, &Receiver{
		QueryURL: base, health: []string{base + "/-/ready"},
		commands: []Command{{Name: "alertmanager", Path: program, Args: []string{
			"--config.file=" + config, "--storage.path=" + data, "--cluster.listen-address=",
			"--web.listen-address=127.0.0.1:" + ports[0],
		}}},
	})
}
