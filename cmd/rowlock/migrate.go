// Here: "rowlock migrate".

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/rowlock/rowlock/internal/cli"
	"github.com/rowlock/rowlock/migrations"
)

func newMigrate(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Makes, updates or takes back the tables",
		Long: `Migrate makes the tables of the queue and brings them to the version of this program.
They go into the schema that the search_path names first.` + exitCodes(),
		Example: `  rowlock migrate up
  rowlock migrate status`,
	}
	cmd.AddCommand(newMigrateUp(o), newMigrateDown(o), newMigrateStatus(o))
	return cmd
}

func newMigrateUp(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "up",
		Short: "Brings the tables to the version of this program",
		Long: `Up applies the migrations that are pending and prints their names. It may run again
at any time, and several at once wait for each other. Run it before workers of a newer
version start, since they refuse tables of an older one.` + exitCodes(),
		Example: `  rowlock migrate up
  rowlock migrate up --database-url postgres://user:password@host:5432/database`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.withDatabase(cmd, func(ctx context.Context, db *pgxpool.Pool) error {
				applied, err := migrations.Up(ctx, db)
				w := cmd.OutOrStdout()
				for _, name := range applied {
					err = errors.Join(err, printMigrated(w, "applied", name, o.json))
				}
				if err == nil && len(applied) == 0 && !o.json {
					_, err = fmt.Fprintln(w, "the tables are up to date")
				}
				return err
			})
		},
	}
}

// A migrated is a migration that was applied or taken back, as --json prints it.
type migrated struct {
	Name    string `json:"name"`
	Outcome string `json:"outcome"`
}

func printMigrated(w io.Writer, outcome, name string, asJSON bool) (err error) {
	if asJSON {
		return cli.PrintJSON(w, migrated{name, strings.ReplaceAll(outcome, " ", "_")})
	}
	_, err = fmt.Fprintln(w, outcome, name)
	return err
}

func newMigrateDown(o *options) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "down",
		Short: "Takes back the latest migration",
		Long: `Down takes back the latest migration: one, not all. It is for undoing an update, or
for leaving rowlock.

What the migration made is lost, with what is in it. Workers and commands of this
version refuse to work until "rowlock migrate up", and workers that run meanwhile fail.
Taking back the first migration drops all tables, and with them the history of finished
jobs; it is refused while there are jobs that can still run or are dead.

On a terminal you are asked before. Elsewhere nobody is, and --yes is needed.` + exitCodes(),
		Example: `  rowlock migrate down
  rowlock migrate down --yes`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !yes && !cli.IsTerminal(cmd.InOrStdin()) {
				return cli.Usagef("%s loses data, and there is no terminal to ask at: "+
					"give --yes if you mean it", cmd.CommandPath())
			}
			return o.withDatabase(cmd, func(ctx context.Context, db *pgxpool.Pool) error {
				return migrateDown(ctx, cmd, db, yes, o.json)
			})
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

func migrateDown(
	ctx context.Context, cmd *cobra.Command, db *pgxpool.Pool, yes, asJSON bool,
) error {
	if !yes {
		statuses, err := migrations.Status(ctx, db)
		if err != nil {
			return err
		}
		latest := migrations.Migration{}
		for _, m := range statuses {
			if !m.AppliedAt.IsZero() {
				latest = m
			}
		}
		if latest.Version > 0 {
			err := ask(ctx, cmd, fmt.Sprintf("Take back %s on database %s?",
				nameOf(latest), db.Config().ConnConfig.Database))
			if err != nil {
				return err
			}
		}
	}
	name, err := migrations.Down(ctx, db)
	if err != nil {
		return err
	}
	if name == "" {
		cmd.PrintErrln("there is no migration to take back")
		return nil
	}
	return printMigrated(cmd.OutOrStdout(), "taken back", name, asJSON)
}

// ask returns an error unless the person at the terminal answers with yes.
func ask(ctx context.Context, cmd *cobra.Command, question string) error {
	cmd.PrintErr(cli.Printable(question) + " [y/N] ")
	answered := make(chan string, 1)
	go func() { // nothing ends a read from a terminal
		line, _ := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
		answered <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case answer := <-answered:
		if answer == "y" || answer == "yes" {
			return nil
		}
		return errors.New("nothing was changed")
	}
}

// nameOf is the name of a migration, which those of a newer program do not have here.
func nameOf(m migrations.Migration) string {
	if m.Name == "" {
		return fmt.Sprintf("version %d, which a newer rowlock has applied,", m.Version)
	}
	return m.Name
}

func newMigrateStatus(o *options) *cobra.Command {
	var check bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Shows which migrations are applied and which are pending",
		Long: `Status shows the migrations that this program has, and those that a newer one has
applied. It changes nothing. With --check the exit code is 1 if one is pending, for
scripts that deploy.` + exitCodes(),
		Example: `  rowlock migrate status
  rowlock migrate status --check >/dev/null || rowlock migrate up`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.withDatabase(cmd, func(ctx context.Context, db *pgxpool.Pool) error {
				statuses, err := migrations.Status(ctx, db)
				if err != nil {
					return err
				}
				if err := printStatus(cmd.OutOrStdout(), statuses, o.json); err != nil || !check {
					return err
				}
				return cli.Migrated(statuses, "queue", "rowlock migrate up")
			})
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "fail if a migration is pending")
	return cmd
}

// A migration is one, and whether it is applied, as --json prints it.
type migration struct {
	Version   int64     `json:"version"`
	Name      string    `json:"name,omitempty"`
	AppliedAt time.Time `json:"applied_at,omitzero"`
}

func printStatus(w io.Writer, statuses []migrations.Migration, asJSON bool) error {
	if asJSON {
		for _, m := range statuses {
			err := cli.PrintJSON(w, migration{m.Version, m.Name, m.AppliedAt.UTC()})
			if err != nil {
				return err
			}
		}
		return nil
	}
	rows := newTable(w, "VERSION", "NAME", "APPLIED AT")
	for _, m := range statuses {
		name, applied := m.Name, "pending"
		if name == "" {
			name = "(of a newer rowlock)"
		}
		if !m.AppliedAt.IsZero() {
			applied = m.AppliedAt.Format(time.RFC3339)
		}
		if err := rows.add(strconv.FormatInt(m.Version, 10), name, applied); err != nil {
			return err
		}
	}
	return rows.flush()
}
