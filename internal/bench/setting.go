// Here: what figures are worth nothing without: the server and its settings.

package bench

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// A Setting is a setting of the server's, with its unit, as SHOW prints it.
type Setting struct{ Name, Value string }

const serverSQL = `-- bench.server
SELECT current_setting('server_version')`

// The first list is told in any case. Of the rest, what somebody has set.
const settingsToldSQL = `-- bench.settings_told
SELECT name, current_setting(name) FROM pg_settings
 WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes', 'autovacuum',
                'shared_buffers', 'max_wal_size')
    OR source NOT IN ('default', 'override', 'client', 'session')
       AND (category ~ '^(Write-Ahead Log|Resource Usage|Autovacuum|Query Tuning|Statistics)'
            OR name IN ('max_connections', 'huge_pages', 'jit', 'ssl',
                        'shared_preload_libraries', 'synchronous_standby_names'))
 ORDER BY name`

// Server returns the version of the server, and those of its settings that matter for
// figures: what decides how durable it is, and whatever is not as it comes.
func Server(ctx context.Context, db *pgxpool.Pool) (version string, set []Setting, err error) {
	if err := db.QueryRow(ctx, serverSQL).Scan(&version); err != nil {
		return "", nil, fmt.Errorf("ask for the server's version: %w", err)
	}
	rows, _ := db.Query(ctx, settingsToldSQL) // CollectRows returns its error
	set, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Setting])
	if err != nil {
		return "", nil, fmt.Errorf("ask for the server's settings: %w", err)
	}
	return version, set, nil
}
