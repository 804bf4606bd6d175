package sandbox

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync/atomic"
)

const mailDir = "mail"

// A mailFolder is a folder of messages, one file each.
type mailFolder struct {
	root    *os.Root
	dir     *os.File // the folder itself
	flusher flusher  // of dir
	last    atomic.Int64
}

// openMailFolder opens or makes the folder in dir, and removes what a killed
// sandbox has left unfinished there.
func openMailFolder(dir *os.Root) (f *mailFolder, err error) {
	if err := dir.Mkdir(mailDir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	root, err := dir.OpenRoot(mailDir)
	if err != nil {
		return nil, err
	}
	file, err := root.Open(".")
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	f = &mailFolder{root: root, dir: file, flusher: flusher{file: file}}
	if err := f.tidy(); err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

// tidy removes unfinished messages and finds the last number.
func (f *mailFolder) tidy() error {
	entries, err := fs.ReadDir(f.root.FS(), ".")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name := entry.Name()
		if strings.HasPrefix(name, ".") && strings.HasSuffix(name, ".tmp") {
			if err := f.root.Remove(name); err != nil {
				return err
			}
			continue
		}
		var number int64
		if _, err := fmt.Sscanf(name, "%d-", &number); err == nil {
			f.last.Store(max(number, f.last.Load()))
		}
	}
	return nil
}

func (f *mailFolder) close() error { return errors.Join(f.dir.Close(), f.root.Close()) }

// store writes a message and its envelope as a new file, whole or not at all,
// and returns when it is durable.
func (f *mailFolder) store(msg *message) (err error) {
	number := f.last.Add(1)
	name := fmt.Sprintf("%06d-%s.eml", number, subjectOf(msg.id))
	temp := fmt.Sprintf(".%06d.tmp", number)
	defer func() {
		if err != nil {
			err = errors.Join(err, ignoreMissing(f.root.Remove(temp)))
		}
	}()

	if err := f.write(temp, msg); err != nil {
		return err
	}
	if err := f.root.Rename(temp, name); err != nil {
		return err
	}
	return f.flusher.flush()
}

func (f *mailFolder) write(name string, msg *message) error {
	file, err := f.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(file) // keeps its first error for Flush
	fmt.Fprintf(w, "Return-Path: <%s>\r\n", msg.from)
	for _, to := range msg.to {
		fmt.Fprintf(w, "Delivered-To: %s\r\n", to)
	}
	_, _ = w.Write(msg.data)
	if err = w.Flush(); err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// subjectOf makes the part of a file's name that tells a person what a message
// is about, from its Message-ID. Only lower-case letters, digits and single
// hyphens survive, so that no name leads anywhere.
func subjectOf(messageID string) string {
	const longest = 60
	about, _, _ := strings.Cut(messageID, "@")
	words := strings.FieldsFunc(strings.ToLower(about), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	})
	name := strings.Join(words, "-")
	if name == "" {
		return "mail"
	}
	return strings.Trim(name[:min(len(name), longest)], "-")
}

// isMail tells whether a file in the folder is a message.
func isMail(name string) bool { return path.Ext(name) == ".eml" && name[0] != '.' }
