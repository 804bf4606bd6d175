package migrations_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/internal/pgtest"
	"github.com/rowlock/rowlock/migrations"
)

func TestStatusTellsWhatIsApplied(t *testing.T) {
	t.Parallel()
	db := pgtest.Empty(t)
	before, err := migrations.Status(t.Context(), db)
	require.NoError(t, err)
	require.NotEmpty(t, before)
	for i, m := range before {
		require.EqualValues(t, i+1, m.Version)
		require.Regexp(t, `^queue/0000\d_\w+\.sql$`, m.Name)
		require.Zero(t, m.AppliedAt)
	}
	var tables int
	const tablesSQL = `SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace`
	require.NoError(t, db.QueryRow(t.Context(), tablesSQL).Scan(&tables))
	require.Zero(t, tables, "looking makes nothing")

	_, err = migrations.Up(t.Context(), db)
	require.NoError(t, err)
	name, err := migrations.Down(t.Context(), db)
	require.NoError(t, err)
	_, err = db.Exec(t.Context(), `
		INSERT INTO rowlock_versions (version_id, is_applied) VALUES (90001, true)`)
	require.NoError(t, err)

	after, err := migrations.Status(t.Context(), db)
	require.NoError(t, err)
	require.Len(t, after, len(before)+1)
	last := len(before) - 1
	for i, m := range after[:last] {
		require.Equal(t, before[i].Name, m.Name)
		require.NotZero(t, m.AppliedAt)
	}
	require.Equal(t, name, after[last].Name)
	require.Zero(t, after[last].AppliedAt)
	require.EqualValues(t, 90001, after[last+1].Version, "one that a newer module applied")
	require.Empty(t, after[last+1].Name)
	require.NotZero(t, after[last+1].AppliedAt)
}

func TestStatusOfTheShopIsItsOwn(t *testing.T) {
	t.Parallel()
	shop, err := migrations.ShopStatus(t.Context(), pgtest.New(t))
	require.NoError(t, err)
	require.Equal(t, "shop/00001_orders.sql", shop[0].Name)
	require.NotZero(t, shop[0].AppliedAt)
}
