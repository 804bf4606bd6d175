// Here: files in the export folder. Whole or absent, never half.

package exports

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strconv"

	"github.com/jackc/pgx/v5/pgxpool"
)

// No name comes from outside: it is made of two numbers, both the database's.
func fileName(id int64, attempt int) string { return fmt.Sprintf("export-%d-%d.csv", id, attempt) }

func tempName(id int64, attempt int) string { return "." + fileName(id, attempt) + ".tmp" }

var tempPattern = regexp.MustCompile(`^\.export-([0-9]{1,18})-([0-9]{1,9})\.csv\.tmp$`)

// create has fill write the file temp of dir, sees to it that it is on disk, and
// gives it its name. If anything goes wrong, neither is there: a file of which
// fsync has failed is not tried again, since its pages may be gone.
func create(dir *os.Root, temp, name string, fill func(io.Writer) error) (err error) {
	left := temp
	defer func() {
		if err != nil {
			err = errors.Join(err, remove(dir, left))
		}
	}()
	if err := remove(dir, temp); err != nil {
		return err
	}
	f, err := dir.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := fill(f); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Sync(); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := dir.Rename(temp, name); err != nil {
		return err
	}
	left = name
	folder, err := dir.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

func remove(dir *os.Root, name string) error {
	if err := dir.Remove(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// removeEarlier removes what earlier attempts at e have left. e has begun and not
// ended, so no row names a file of theirs; one that still writes, its claim lost,
// finds its temporary file gone and fails. What cannot be removed stays.
func removeEarlier(dir *os.Root, e *Export) {
	for n := max(1, e.Attempt-100); n < e.Attempt; n++ {
		_ = remove(dir, tempName(e.ID, n))
		_ = remove(dir, fileName(e.ID, n))
	}
}

// By (id, attempt) of a file's name: true if that attempt has begun and is over. A
// file of which the table knows nothing is left alone.
const overSQL = `-- exports.over
SELECT EXISTS (
  SELECT FROM exports
   WHERE id = $1 AND (attempt > $2 OR attempt = $2 AND status <> 'processing'))`

// Sweep removes the temporary files of attempts that are over, which a killed
// process leaves, and returns how many there were. Call it when a process starts;
// attempts under way, here or elsewhere, are left alone.
func Sweep(ctx context.Context, db *pgxpool.Pool, dir *os.Root) (removed int, err error) {
	folder, err := dir.Open(".")
	if err != nil {
		return 0, fmt.Errorf("sweep exports: %w", err)
	}
	defer folder.Close()
	for {
		names, err := folder.Readdirnames(1000)
		for _, name := range names {
			over, err := isOver(ctx, db, name)
			if err == nil && over {
				err = remove(dir, name)
			}
			if err != nil {
				return removed, fmt.Errorf("sweep exports: %w", err)
			}
			if over {
				removed++
			}
		}
		if errors.Is(err, io.EOF) {
			return removed, nil
		}
		if err != nil {
			return removed, fmt.Errorf("sweep exports: %w", err)
		}
	}
}

func isOver(ctx context.Context, db *pgxpool.Pool, name string) (over bool, err error) {
	found := tempPattern.FindStringSubmatch(name)
	if found == nil {
		return false, nil
	}
	id, _ := strconv.ParseInt(found[1], 10, 64) // the pattern bounds both
	attempt, _ := strconv.Atoi(found[2])
	err = db.QueryRow(ctx, overSQL, id, attempt).Scan(&over)
	return over, err
}
