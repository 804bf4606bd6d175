// Here: the commands, and what holds for all of them.

package main

import (
	"github.com/spf13/cobra"

	"github.com/rowlock/rowlock/internal/cli"
)

// options are what all commands take.
type options struct {
	database cli.Database
	json     bool
}

func newRoot() *cobra.Command {
	o := &options{database: cli.Database{Name: "rowlock"}}
	root := &cobra.Command{
		Use:   "rowlock",
		Short: "Looks into a job queue on Postgres, and changes it",
		Long: `Rowlock looks into a job queue on Postgres, and changes it. It serves any database
that has the queue's tables, and runs no jobs itself: workers do.

The database is the one of --database-url, else of DATABASE_URL, else of PGHOST,
PGDATABASE or PGSERVICE and their like. The tables are found by its search_path. Flags
may stand before and behind the command.

What was asked for goes to stdout, everything else to stderr. With --json, stdout has
one JSON object per line, whose fields are those of the table that people get.`,
		Example: `  rowlock migrate up
  rowlock enqueue greet '{"name": "world"}'
  rowlock list --state dead
  rowlock retry 42`,
		Version: versionLine(),
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.Long += exitCodes(cli.CodeNotFound, cli.CodeConflict)
	o.database.Flags(root.PersistentFlags())
	root.PersistentFlags().BoolVar(&o.json, "json", false, "print JSON, one object per line")

	const look, change, prepare = "look", "change", "prepare"
	root.AddGroup(&cobra.Group{ID: look, Title: "Look:"},
		&cobra.Group{ID: change, Title: "Change:"}, &cobra.Group{ID: prepare, Title: "Prepare:"})
	add := func(group string, commands ...*cobra.Command) {
		for _, cmd := range commands {
			cmd.GroupID = group
			root.AddCommand(cmd)
		}
	}
	add(look, newList(o), newShow(o), newQueues(o), newWorkers(o), newStats(o))
	add(change, newEnqueue(o), newRetry(o), newCancel(o), newDelete(o), newPause(o), newResume(o))
	add(prepare, newMigrate(o), newBench(o), newVersion(o))
	root.SetHelpCommandGroupID(prepare)
	root.SetCompletionCommandGroupID(prepare)
	return root
}

// twin returns the environment variable that a flag is read from. A filter or a queue
// that came from the environment would change what a command means unseen.
func twin(flag string) string {
	if flag == "database-url" {
		return "DATABASE_URL"
	}
	return ""
}
