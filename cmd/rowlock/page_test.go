package main

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/internal/bench"
	"github.com/rowlock/rowlock/internal/pgtest"
	"github.com/rowlock/rowlock/queue"
)

// page returns docs/cli.md.
func page(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/cli.md")
	require.NoError(t, err)
	return string(text)
}

// lasting is what stays of an output if it is made another time: points in time, ages,
// the spaces that they move and the names of workers do not.
func lasting(output string) string {
	output = timestamp.ReplaceAllString(output, "TIME")
	output = regexp.MustCompile(`\b\d+[smhdy]\b`).ReplaceAllString(output, "AGE")
	output = regexp.MustCompile(`(?m)(\son|^worker) +\S+:\d+$`).ReplaceAllString(output, "$1 NAME")
	return regexp.MustCompile(` {2,}`).ReplaceAllString(output, "  ")
}

// words splits a line as a shell does, as far as the page goes.
func words(line string) (split []string) {
	for _, w := range regexp.MustCompile(`'[^']*'|[^ ]+`).FindAllString(line, -1) {
		split = append(split, strings.Trim(w, "'"))
	}
	return split
}

// TestSessionOfThePage runs the commands of the page's session and compares what they
// print.
func TestSessionOfThePage(t *testing.T) {
	t.Parallel()
	db := pgtest.Empty(t)
	parts := regexp.MustCompile("(?s)```console\n(.*?)```|<!-- (.*?) -->").FindAllStringSubmatch(page(t), -1)
	require.Len(t, parts, 3)
	for _, part := range parts {
		if part[2] != "" {
			require.Equal(t, "a worker comes and goes", part[2])
			stop := work(t, db)
			await(t, db, 1, queue.StateCompleted)
			await(t, db, 2, queue.StateDead)
			stop()
			continue
		}
		for block := range strings.SplitSeq("\n"+strings.TrimSpace(part[1]), "\n$ ") {
			command, want, _ := strings.Cut(block, "\n")
			if command == "" {
				continue
			}
			args := words(command)
			require.Equal(t, program, args[0])
			got := call(t, pgtest.URL(db), args[1:]...)
			require.Equal(t, lasting(want+"\n"), lasting(got.stdout+got.stderr), command)
		}
	}
}

// TestCommandsOfThePage reads the commands that the page has without their output.
func TestCommandsOfThePage(t *testing.T) {
	t.Parallel()
	seen := 0
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(page(t), -1) {
		for line := range strings.Lines(block[1]) {
			all := words(strings.TrimSpace(line))
			for i, word := range all {
				if word != program {
					continue
				}
				seen++
				args := all[i+1:]
				if end := slices.IndexFunc(args, isOperator); end >= 0 {
					args = args[:end]
				}
				cmd, rest, err := newRoot().Find(args)
				require.NoError(t, err, line)
				cmd.InitDefaultHelpFlag()
				require.NoError(t, cmd.ParseFlags(rest), line)
				if i == 0 || all[i-1] != "-r" { // else xargs gives the rest
					require.NoError(t, cmd.ValidateArgs(cmd.Flags().Args()), line)
				}
			}
		}
	}
	require.Greater(t, seen, 8)
}

// isOperator reports whether a command ends before a word.
func isOperator(word string) bool { return strings.ContainsAny(word[:1], "|&<>") }

func TestPageKnowsAllCommands(t *testing.T) {
	t.Parallel()
	text := page(t)
	everyCommand(newRoot(), nil, func(words []string, cmd *cobra.Command) {
		if len(words) > 0 {
			require.Regexp(t, "(?m)^\\| .*`[a-z ]*"+cmd.Name()+"\\b", text)
		}
	})
}

func TestPageKnowsAllFields(t *testing.T) {
	t.Parallel()
	_, text, _ := strings.Cut(page(t), "\n## What --json prints\n")
	for commands, printed := range map[string]any{
		"`list`, `show`":              job{},
		"`show`":                      failure{},
		"`queues`":                    queueStand{},
		"`workers`":                   worker{},
		"`stats`":                     overview{},
		"`enqueue`":                   insertion{},
		"`retry`, `cancel`, `delete`": changed{},
		"`pause`, `resume`":           pausedQueue{},
		"`migrate up`, `down`":        migrated{},
		"`migrate status`":            migration{},
		"`version`":                   build{},
		"`bench drain`":               bench.DrainResult{},
		"`bench limit`":               bench.LimitResult{},
		"`bench steady`":              bench.SteadyResult{},
		"`bench xmin`":                bench.XminResult{},
		"`bench tx`":                  bench.TxResult{},
		"`bench pool`":                bench.PoolResult{},
		"`bench scale`":               bench.ScaleResult{},
		"`bench backlog`":             bench.BacklogResult{},
		"`bench burst`":               bench.BurstResult{},
		"`bench idle`":                bench.IdleResult{},
		"`bench latency`":             bench.LatencyResult{},
		"`bench insert`":              bench.InsertResult{},
		"each `bench`":                facts{},
	} {
		_, row, found := strings.Cut(text, "\n| "+commands+" | ")
		require.True(t, found, commands)
		row, _, _ = strings.Cut(row, "\n")
		for field := range reflect.TypeOf(printed).Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if !field.IsExported() {
				continue
			}
			require.Contains(t, row, "`"+name+"`", commands)
		}
	}
}
