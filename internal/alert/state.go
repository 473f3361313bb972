package alert

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

const (
	stateFile    = "state.json"
	stateVersion = 1
	// maxStateBytes is more than a full book takes.
	maxStateBytes = 256 << 20
)

// state is what outlives the process.
type state struct {
	Version int     `json:"version"`
	Alerts  []Alert `json:"alerts"`
	// Told is what receivers know, by their name and the group.
	Told map[string]map[string]*Told `json:"told"`
}

// errDamaged is what loadState returns for a file that holds no state.
var errDamaged = errors.New("the kept alerts cannot be read")

// loadState reads the state of the folder; a missing one is empty. Errors wrap errDamaged
// where the file is there and makes no sense.
func loadState(dir string) (state, error) {
	f, err := os.Open(filepath.Join(dir, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return state{}, nil
	}
	if err != nil {
		return state{}, fmt.Errorf("alert: %w", err)
	}
	defer f.Close()
	var s state
	if err := json.NewDecoder(io.LimitReader(f, maxStateBytes)).Decode(&s); err != nil {
		return state{}, fmt.Errorf("%w: %w", errDamaged, err)
	}
	if s.Version != stateVersion {
		return state{}, fmt.Errorf("%w: version %d, this program reads %d", errDamaged, s.Version, stateVersion)
	}
	return s, nil
}

// save replaces the state of the folder; what is there is whole at any instant. What a process was
// writing as it was killed the next one writes over. One at a time may save.
func (s state) save(dir string) (err error) {
	s.Version = stateVersion
	body, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("alert: %w", err)
	}
	path := filepath.Join(dir, stateFile)
	f, err := os.OpenFile(path+".part", os.O_WRONLY|os.O_CREATE|os.O_TRUNC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return fmt.Errorf("alert: %w", err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("alert: %w", errors.Join(err, os.Remove(f.Name())))
		}
	}()
	_, err = f.Write(body)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
