// Here: the raw data, a file of lines for each measurement.

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// A take is one run of a command.
type take struct {
	Command string          `json:"command"`
	Commit  string          `json:"commit,omitempty"` // of rowlock
	Began   string          `json:"began"`
	Seconds float64         `json:"seconds"`
	Result  json.RawMessage `json:"result"` // what it printed
}

func fileOf(dir, name string) string { return filepath.Join(dir, name+".jsonl") }

// read returns what there is of a measurement, perhaps nothing.
func read(dir, name string) (takes []take, err error) {
	content, err := os.ReadFile(fileOf(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for line := range bytes.Lines(content) {
		var t take
		if err := json.Unmarshal(line, &t); err != nil {
			return nil, fmt.Errorf("%s: %w", fileOf(dir, name), err)
		}
		takes = append(takes, t)
	}
	return takes, nil
}

// keep stores the takes of a measurement, instead of those that were there. A process
// that dies meanwhile leaves the old ones.
func keep(dir, name string, takes []take) error {
	var b bytes.Buffer
	for _, t := range takes {
		line, err := json.Marshal(t)
		if err != nil {
			return err
		}
		b.Write(append(line, '\n'))
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	file := fileOf(dir, name)
	if err := os.WriteFile(file+".new", b.Bytes(), 0o644); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

// of returns the takes of a command.
func of(takes []take, command string) []take {
	return slices.DeleteFunc(slices.Clone(takes), func(t take) bool { return t.Command != command })
}

// decode reads the results of takes into a slice.
func decode(takes []take, into any) error {
	all := make([][]byte, len(takes))
	for i, t := range takes {
		all[i] = t.Result
	}
	return json.Unmarshal(slices.Concat([]byte("["), bytes.Join(all, []byte(",")), []byte("]")), into)
}
