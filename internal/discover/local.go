package discover

import "time"

const localInterval = 10 * time.Second

// LocalConfig asks for the JVMs of this host. It has no settings.
type LocalConfig struct{}

// listLocal finds JVMs with a Jolokia agent.
func listLocal() ([]labels, error) { return nil, nil }
