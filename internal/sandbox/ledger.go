package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const ledgerFile = "ledger.jsonl"

// A Ledger is all that the gateway has answered, in the order of writing.
type Ledger struct {
	Captured []Charge
	Declined []Charge
	Broken   []Charge // calls that ended without a charge or a decline

	// Duplicates counts the captured charges beyond the first of their order:
	// their Reference, or their Key if there is none. It should be 0.
	Duplicates int
}

// ReadLedger returns the ledger in the sandbox's folder dir. The sandbox may be
// running.
func ReadLedger(dir string) (*Ledger, error) {
	path := filepath.Join(dir, ledgerFile)
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read ledger: %w: is %s a sandbox's folder?", err, dir)
	}
	if err != nil {
		return nil, fmt.Errorf("read ledger: %w", err)
	}
	defer file.Close()

	var l Ledger
	charged := make(map[string]bool)
	_, err = readLines(file, func(line []byte) error {
		c, err := parseCharge(line)
		if err != nil {
			return err
		}
		switch c.Outcome {
		case Declined:
			l.Declined = append(l.Declined, c)
		case Broken:
			l.Broken = append(l.Broken, c)
		case Captured:
			l.Captured = append(l.Captured, c)
			if charged[c.order()] {
				l.Duplicates++
			}
			charged[c.order()] = true
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read ledger %s %w", path, err)
	}
	return &l, nil
}
