package exports

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/internal/pgtest"
)

func TestCreateIsWholeOrAbsent(t *testing.T) {
	t.Parallel()
	dir, err := os.OpenRoot(t.TempDir())
	require.NoError(t, err)
	defer func() { require.NoError(t, dir.Close()) }()
	absent := func(names ...string) {
		t.Helper()
		for _, name := range names {
			_, err := dir.Lstat(name)
			require.ErrorIs(t, err, fs.ErrNotExist)
		}
	}

	full := errors.New("no space left on device")
	err = create(dir, ".x.tmp", "x", func(w io.Writer) error {
		_, err := w.Write(make([]byte, 1<<20))
		require.NoError(t, err)
		absent("x")
		return full
	})
	require.ErrorIs(t, err, full)
	absent("x", ".x.tmp")

	// What stands there stays until the new one is whole.
	require.NoError(t, dir.WriteFile("x", []byte("old"), 0o600))
	err = create(dir, ".x.tmp", "x", func(io.Writer) error { return full })
	require.ErrorIs(t, err, full)
	content, err := dir.ReadFile("x")
	require.NoError(t, err)
	require.Equal(t, "old", string(content))
	absent(".x.tmp")

	// A zombie's temporary file was swept: its rename finds nothing to name.
	err = create(dir, ".y.tmp", "y", func(io.Writer) error { return dir.Remove(".y.tmp") })
	require.ErrorIs(t, err, fs.ErrNotExist)
	absent("y", ".y.tmp")

	require.NoError(t, create(dir, ".y.tmp", "y", func(w io.Writer) error {
		_, err := io.WriteString(w, "new")
		return err
	}))
	absent(".y.tmp")
	content, err = dir.ReadFile("y")
	require.NoError(t, err)
	require.Equal(t, "new", string(content))
}

func TestNoteShowsProgressToTheAttemptThatHasASay(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	_, err := db.Exec(t.Context(), `
INSERT INTO exports (query, mail_to, status, attempt, begun_at)
VALUES ('orders', 'boss@example.com', 'processing', 2, now())`)
	require.NoError(t, err)
	require.NoError(t, note(t.Context(), db, &Export{ID: 1, Attempt: 2}, 3000))
	var progress int64
	err = db.QueryRow(t.Context(), `SELECT progress FROM exports`).Scan(&progress)
	require.NoError(t, err)
	require.EqualValues(t, 3000, progress)
	require.ErrorIs(t, note(t.Context(), db, &Export{ID: 1, Attempt: 1}, 9), ErrSuperseded)

	// Every connection is busy: the export goes on.
	for range db.Config().MaxConns {
		conn, err := db.Acquire(t.Context())
		require.NoError(t, err)
		defer conn.Release()
	}
	require.NoError(t, note(t.Context(), db, &Export{ID: 1, Attempt: 2}, 4000))
}
