package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/internal/pgtest"
)

// A module that imports the queue is made of this program, outside the repository.
// It builds, works jobs, and gets no dependency but those of queue and migrations.
func TestProgramWorksAsAModuleOfItsOwn(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	m := newModule(t)
	require.Empty(t, m.strangers(), "modules that its go.mod names and it does not need")

	m.run("go", "build", "-o", "service", ".")
	service := exec.Command(filepath.Join(m.dir, "service"), "Ada", "Grace")
	service.Env = append(os.Environ(), "DATABASE_URL="+db.Config().ConnString())
	var log bytes.Buffer
	service.Stderr = &log
	out, err := service.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, service.Start())
	defer func() { _ = service.Process.Kill() }() // it has ended, unless the test fails
	var greeted []string
	for lines := bufio.NewScanner(out); len(greeted) < 2 && lines.Scan(); {
		greeted = append(greeted, lines.Text())
	}
	require.ElementsMatch(t, []string{"hello, Ada", "hello, Grace"}, greeted)
	require.NoError(t, service.Process.Signal(os.Interrupt))
	require.NoError(t, service.Wait(), log.String())

	var jobs, guests int
	require.NoError(t, db.QueryRow(t.Context(), `
SELECT (SELECT count(*) FROM finished_jobs WHERE state = 'completed'),
       (SELECT count(*) FROM guests WHERE greeted_at IS NOT NULL)`).Scan(&jobs, &guests))
	require.Equal(t, [2]int{2, 2}, [2]int{jobs, guests})
}

type module struct {
	t   *testing.T
	dir string
}

// newModule makes a tidy module of this folder's program.
func newModule(t *testing.T) module {
	t.Helper()
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	m := module{t, t.TempDir()}
	for _, name := range []string{"examples/service/main.go", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(root, name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(m.dir, filepath.Base(name)), text, 0o600))
	}
	m.run("go", "mod", "init", "example.com/service")
	m.run("go", "mod", "edit", "-require=github.com/rowlock/rowlock@v0.0.0",
		"-replace=github.com/rowlock/rowlock="+root)
	m.run("go", "mod", "tidy")
	return m
}

func (m module) run(name string, args ...string) string {
	m.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = m.dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	require.NoError(m.t, err, "%s %s\n%s", name, strings.Join(args, " "), errs.String())
	return string(out)
}

// strangers are the modules that m's go.mod names though no package of theirs is
// compiled into it.
func (m module) strangers() (strangers []string) {
	m.t.Helper()
	compiled := make(map[string]bool)
	for path := range strings.FieldsSeq(
		m.run("go", "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", ".")) {
		compiled[path] = true
	}
	var file struct{ Require []struct{ Path string } }
	require.NoError(m.t, json.Unmarshal([]byte(m.run("go", "mod", "edit", "-json")), &file))
	require.NotEmpty(m.t, file.Require)
	for _, r := range file.Require {
		if !compiled[r.Path] {
			strangers = append(strangers, r.Path)
		}
	}
	return strangers
}
