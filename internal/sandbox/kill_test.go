package sandbox_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/internal/sandbox"
)

// startProcess starts a sandbox on dir as a process of its own.
func startProcess(t *testing.T, dir string) (*sandbox.Sandbox, *os.Process) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe() // closed when this process ends, and so that one
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		stdin.Close()
		_ = cmd.Wait() // it was killed
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	var s sandbox.Sandbox
	_, err = fmt.Sscan(line, &s.GatewayURL, &s.SMTPURL)
	require.NoError(t, err)
	return &s, cmd.Process
}

// What was answered before kill -9 is remembered after it, run after run.
func TestKilledSandboxRemembers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	charged := make(map[string]string) // id by key
	mailed := make(map[string]bool)
	for round := range 3 {
		s, process := startProcess(t, dir)
		charges, mails := workUntilKilled(t, s, process, round)
		for key, id := range charges {
			charged[key] = id
		}
		for _, id := range mails {
			mailed[id] = true
		}
	}

	s := start(t, dir, sandbox.Options{})
	p := newPayer(t, s.GatewayURL)
	for key, id := range charged {
		require.Equal(t, id, p.mustGet(t, key, http.StatusOK).ID)
	}
	ledger, err := sandbox.ReadLedger(dir)
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(ledger.Captured), len(charged))
	require.Zero(t, ledger.Duplicates)

	kept := make(map[string]bool)
	for _, m := range readMailbox(t, dir).Mails {
		kept[m.MessageID] = true
	}
	for id := range mailed {
		require.True(t, kept[id], id)
	}
	t.Logf("answered %d charges and %d mails, kept %d and %d",
		len(charged), len(mailed), len(ledger.Captured), len(kept))
}

// workUntilKilled charges and mails from several goroutines, kills the process
// after some answers, and returns what was answered.
func workUntilKilled(
	t *testing.T, s *sandbox.Sandbox, process *os.Process, round int,
) (charges map[string]string, mails []string) {
	t.Helper()
	p := newPayer(t, s.GatewayURL)
	type charge struct{ key, id string }
	charged, mailed := make(chan charge), make(chan string)
	var workers sync.WaitGroup
	for w := range 4 {
		workers.Go(func() {
			for n := 0; ; n++ {
				key := fmt.Sprintf("%d-%d-%d", round, w, n)
				a, err := p.post(context.WithoutCancel(t.Context()), key, sandbox.TokenOK)
				if err != nil {
					return
				}
				charged <- charge{key, a.ID}
			}
		})
		workers.Go(func() {
			for n := 0; ; n++ {
				id := fmt.Sprintf("<order-%d-%d-%d-confirmation@x>", round, w, n)
				if send(s, "zoe@mail.example", letter(id)) != nil {
					return
				}
				mailed <- id
			}
		})
	}
	go func() {
		workers.Wait()
		close(charged)
		close(mailed)
	}()

	charges = make(map[string]string)
	for charged != nil || mailed != nil {
		select {
		case c, ok := <-charged:
			if !ok {
				charged = nil
				continue
			}
			charges[c.key] = c.id
		case id, ok := <-mailed:
			if !ok {
				mailed = nil
				continue
			}
			mails = append(mails, id)
		}
		if len(charges)+len(mails) == 100 {
			require.NoError(t, process.Kill())
		}
	}
	return charges, mails
}
