package exports_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/exports"
	"github.com/rowlock/rowlock/internal/pgtest"
)

// These make the test binary a process that writes export 1 and can be killed.
const (
	childDatabase = "ROWLOCK_TEST_EXPORT_DATABASE"
	childFolder   = "ROWLOCK_TEST_EXPORT_FOLDER"
)

func writeInChild(url, folder string) int {
	ctx := context.Background()
	db, err := pgxpool.New(ctx, url)
	if err == nil {
		var dir *os.Root
		if dir, err = os.OpenRoot(folder); err == nil {
			_, err = exports.Write(ctx, db, dir, &exports.Export{ID: 1, Attempt: 1, Query: "orders"})
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// A process that is killed on the way leaves no file under the export's name but a
// whole one, and the next attempt leaves nothing else.
func TestKilledWriteLeavesNoHalfFile(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	fill(t, db, 100_000)
	begin(t, db, request(t, db, "orders", nil).ID)
	path := t.TempDir()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childDatabase+"="+pgtest.URL(db), childFolder+"="+path)
	child.Stderr = os.Stderr
	require.NoError(t, child.Start())
	killed := false
	defer func() {
		if !killed {
			_ = child.Process.Kill()
			_ = child.Wait()
		}
	}()
	require.Eventually(t, func() bool {
		temp, err := os.Stat(filepath.Join(path, ".export-1-1.csv.tmp"))
		_, done := os.Stat(filepath.Join(path, "export-1-1.csv"))
		return err == nil && temp.Size() > 0 || done == nil
	}, time.Minute, time.Millisecond)
	require.NoError(t, child.Process.Kill())
	_ = child.Wait() // killed, or done a moment before
	killed = true
	left, err := os.ReadFile(filepath.Join(path, "export-1-1.csv"))

	dir, openErr := os.OpenRoot(path)
	require.NoError(t, openErr)
	defer func() { require.NoError(t, dir.Close()) }()
	file, writeErr := exports.Write(t.Context(), db, dir, begin(t, db, 1))
	require.NoError(t, writeErr)
	require.EqualValues(t, 100_000, file.Rows)
	if err == nil {
		require.Len(t, left, int(file.Bytes), "whole or absent")
	}
	entries, err := os.ReadDir(path)
	require.NoError(t, err)
	require.Len(t, entries, 1)
	require.Equal(t, "export-1-2.csv", entries[0].Name())
}
