package sandbox

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

var errClosed = errors.New("the sandbox is stopping")

// A journal is a file of JSON lines that only grows.
type journal struct {
	file    *os.File
	flusher flusher

	mu  sync.Mutex
	err error // why nothing can be appended any more
}

// openJournal opens or makes the journal called name and gives each line that it
// holds to replay. A last line without its end was never answered for, since
// append had not returned: it is cut off, and torn tells its length.
func openJournal(
	dir *os.Root, name string, replay func(line []byte) error,
) (j *journal, torn int64, err error) {
	file, err := dir.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, 0, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, file.Close())
		}
	}()

	whole, err := readLines(file, replay)
	if err != nil {
		return nil, 0, fmt.Errorf("%s %w: move that file away to begin anew", file.Name(), err)
	}
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, 0, err
	}
	if size > whole {
		if err := errors.Join(file.Truncate(whole), file.Sync()); err != nil {
			return nil, 0, err
		}
	}
	return &journal{file: file, flusher: flusher{file: file}}, size - whole, nil
}

// readLines gives each whole line of r to visit and returns how many bytes they
// are. A last line without its end is left out.
func readLines(r io.Reader, visit func(line []byte) error) (whole int64, err error) {
	lines := bufio.NewReader(r)
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return whole, nil
		}
		if err != nil {
			return whole, err
		}
		whole += int64(len(line))
		if err := visit(bytes.TrimSuffix(line, []byte("\n"))); err != nil {
			return whole, fmt.Errorf("line %d: %w", n, err)
		}
	}
}

// append writes v as a line and returns when it is durable. After an error
// nobody knows what the file ends with, so that every later append fails too;
// opening the journal again finds out.
func (j *journal) append(v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if err := j.write(append(line, '\n')); err != nil {
		return err
	}
	if err := j.flusher.flush(); err != nil {
		return j.fail(err)
	}
	return nil
}

func (j *journal) write(line []byte) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err == nil {
		_, j.err = j.file.Write(line)
	}
	return j.err
}

func (j *journal) fail(err error) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err == nil {
		j.err = err
	}
	return j.err
}

func (j *journal) close() error {
	_ = j.fail(errClosed)
	return j.file.Close()
}
