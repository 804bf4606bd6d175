package main

import (
	"bytes"
	"context"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rowlock/rowlock/internal/pgtest"
	"github.com/rowlock/rowlock/queue"
)

var update = flag.Bool("update", false, "write what commands print into the scripts")

// timestamp matches a point in time.
var timestamp = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)`)

// TestScripts runs the scripts in testdata, each on a database of its own. Beside the
// commands of testscript they have
//
//	rowlock ARGS… [<FILE]    the program, in this process; exit code 0, or with ! another
//	exits CODE rowlock …     the same with this exit code
//	exec rowlock …           the program in a process of its own, with the script's $DATABASE_URL
//	sql FILE                 the statements in a file
//	database empty           goes on with a database that has no tables
//	scrub                    leaves stdout in the file scrubbed, with TIME for each point in time
//	work                     starts a worker that runs until the end, or "rest"
//	rest                     ends it
//	await ID STATE           waits until the job has come to that state
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                "testdata",
		UpdateScripts:      *update,
		RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			bin := filepath.Join(env.WorkDir, ".bin")
			if err := os.Mkdir(bin, 0o700); err != nil {
				return err
			}
			env.Setenv("PATH", bin+string(filepath.ListSeparator)+env.Getenv("PATH"))
			env.Setenv("TZ", "UTC")
			for _, v := range os.Environ() { // how the server is reached may be in them
				if strings.HasPrefix(v, "PG") {
					env.Vars = append(env.Vars, v)
				}
			}
			s := &stage{TB: env.T().(testing.TB)}
			s.use(env, pgtest.New(s))
			env.Values["stage"] = s
			return install(bin)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"rowlock": func(ts *testscript.TestScript, neg bool, args []string) {
				code := onStage(ts).rowlock(ts, args)
				if (code != 0) != neg {
					ts.Fatalf("exit code %d", code)
				}
			},
			"exits": func(ts *testscript.TestScript, _ bool, args []string) {
				if len(args) < 3 || args[1] != program {
					ts.Fatalf("usage: exits CODE rowlock ARGS...")
				}
				if code := onStage(ts).rowlock(ts, args[2:]); strconv.Itoa(code) != args[0] {
					ts.Fatalf("exit code %d", code)
				}
			},
			"sql": func(ts *testscript.TestScript, _ bool, args []string) {
				s := onStage(ts)
				execute(s, s.db, ts.ReadFile(args[0]))
			},
			"database": func(ts *testscript.TestScript, _ bool, args []string) {
				if s := onStage(ts); args[0] == "empty" {
					s.use(ts, pgtest.Empty(s))
				}
			},
			"scrub": func(ts *testscript.TestScript, _ bool, _ []string) {
				text := timestamp.ReplaceAllString(ts.ReadFile("stdout"), "TIME")
				ts.Check(os.WriteFile(ts.MkAbs("scrubbed"), []byte(text), 0o600))
			},
			"work": func(ts *testscript.TestScript, _ bool, _ []string) { onStage(ts).work(ts) },
			"rest": func(ts *testscript.TestScript, _ bool, _ []string) { onStage(ts).rest() },
			"await": func(ts *testscript.TestScript, _ bool, args []string) {
				id, err := strconv.ParseInt(args[0], 10, 64)
				ts.Check(err)
				s := onStage(ts)
				await(s, s.db, id, queue.State(args[1]))
			},
		},
	})
}

// A stage is what a script works with.
type stage struct {
	testing.TB
	db   *pgxpool.Pool
	rest func()
}

func onStage(ts *testscript.TestScript) *stage { return ts.Value("stage").(*stage) }

// use has the script work with a database.
func (s *stage) use(env interface{ Setenv(key, value string) }, db *pgxpool.Pool) {
	s.db = db
	env.Setenv("DATABASE_URL", pgtest.URL(db))
}

// rowlock runs a command in this process and returns its exit code.
func (s *stage) rowlock(ts *testscript.TestScript, args []string) int {
	var stdin io.Reader = new(bytes.Reader)
	if n := len(args) - 1; n >= 0 && strings.HasPrefix(args[n], "<") {
		stdin, args = strings.NewReader(ts.ReadFile(args[n][1:])), args[:n]
	}
	args = append([]string{"--database-url", ts.Getenv("DATABASE_URL")}, args...)
	return run(context.Background(), args, stdin, ts.Stdout(), ts.Stderr())
}

// work starts a worker for the rest of the script.
func (s *stage) work(ts *testscript.TestScript) {
	stop := work(s, s.db)
	s.rest = func() {
		stop()
		s.rest = func() {}
	}
	ts.Defer(func() { s.rest() })
}
