package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
)

var errInUse = errors.New("the folder is in use")

// A folder is what the sandbox remembers, and what keeps others out of it.
type folder struct {
	root *os.Root
	lock *os.File
	book *book
	mail *mailbox
}

// openFolder takes hold of the folder at path.
func openFolder(ctx context.Context, path string, log *slog.Logger) (*folder, error) {
	f := new(folder)
	if err := f.open(ctx, path, log); err != nil {
		return nil, errors.Join(explain(path, err), f.close())
	}
	return f, nil
}

func (f *folder) open(ctx context.Context, path string, log *slog.Logger) (err error) {
	if f.root, err = os.OpenRoot(path); err != nil {
		return err
	}
	if f.lock, err = lock(ctx, f.root); err != nil {
		return err
	}
	var torn int64
	if f.book, torn, err = openBook(f.root); err != nil {
		return err
	}
	warnTorn(log, ledgerFile, torn)
	if f.mail, err = openMailbox(f.root, log); err != nil {
		return err
	}
	return syncFolder(f.root)
}

// syncFolder makes the names of new files in root durable.
func syncFolder(root *os.Root) error {
	dir, err := root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// close closes what is open. The lock goes last: until then all is written.
func (f *folder) close() error {
	var errs []error
	if f.mail != nil {
		errs = append(errs, f.mail.close())
	}
	if f.book != nil {
		errs = append(errs, f.book.ledger.close())
	}
	if f.lock != nil {
		errs = append(errs, f.lock.Close())
	}
	if f.root != nil {
		errs = append(errs, f.root.Close())
	}
	return errors.Join(errs...)
}

// explain says what to do about an error at opening the folder at path.
func explain(path string, err error) error {
	switch {
	case errors.Is(err, errInUse):
		return fmt.Errorf("sandbox folder %s is in use by another sandbox: "+
			"stop that one, or name another folder", path)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("sandbox folder %s does not exist: create it first (%w)", path, err)
	case isFile(path):
		return fmt.Errorf("sandbox folder %s is not a folder: name another (%w)", path, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("sandbox folder %s cannot be written: "+
			"give yourself the right to, or name another (%w)", path, err)
	}
	return fmt.Errorf("sandbox folder %s: %w", path, err)
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir()
}

func warnTorn(log *slog.Logger, file string, torn int64) {
	if torn > 0 {
		log.Warn("cut off a last line that was never finished, nor answered for",
			"file", file, "bytes", torn)
	}
}
