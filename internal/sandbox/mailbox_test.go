package sandbox_test

import (
	"fmt"
	"net/mail"
	"net/smtp"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/internal/sandbox"
)

// letter is a small message with a Message-ID.
func letter(messageID string) []byte {
	return []byte("Message-ID: " + messageID + "\r\nSubject: Hello\r\n\r\n.\r\nGood day.\r\n")
}

func send(s *sandbox.Sandbox, to string, message []byte) error {
	return smtp.SendMail(strings.TrimPrefix(s.SMTPURL, "smtp://"), nil,
		"shop@rowlock.example", []string{to}, message)
}

// requireCode wants an SMTP reply.
func requireCode(t *testing.T, code int, err error) {
	t.Helper()
	var reply *textproto.Error
	require.ErrorAs(t, err, &reply)
	require.Equal(t, code, reply.Code, reply.Msg)
}

func readMailbox(t *testing.T, dir string) *sandbox.Mailbox {
	t.Helper()
	box, err := sandbox.ReadMailbox(dir)
	require.NoError(t, err)
	return box
}

func TestMailboxKeepsMessages(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, dir, sandbox.Options{})
	for _, id := range []string{
		"<order-42-confirmation@rowlock.example>", "<export-7-ready@rowlock.example>",
		"<order-42-confirmation@rowlock.example>", "<hello@elsewhere.example>", "",
	} {
		require.NoError(t, send(s, "zoe.garcia@mail.example", letter(id)))
	}
	require.NoError(t, s.Close())
	s = start(t, dir, sandbox.Options{})
	require.NoError(t, send(s, "zoë@mail.example", letter("<order-43-confirmation@x>")))

	box := readMailbox(t, dir)
	require.Len(t, box.Mails, 6)
	require.Equal(t, 2, box.Confirmations)
	require.Equal(t, 1, box.ExportsReady)
	require.Equal(t, 2, box.Others)
	require.Equal(t, 1, box.Duplicates)
	require.Zero(t, box.Refused)
	for i, name := range []string{
		"000001-order-42-confirmation.eml", "000002-export-7-ready.eml",
		"000003-order-42-confirmation.eml", "000004-hello.eml", "000005-mail.eml",
		"000006-order-43-confirmation.eml",
	} {
		require.Equal(t, filepath.Join(dir, "mail", name), box.Mails[i].File)
	}
	require.Equal(t, []string{"zoë@mail.example"}, box.Mails[5].Recipients)

	text, err := os.ReadFile(box.Mails[0].File)
	require.NoError(t, err)
	require.Equal(t, "Return-Path: <shop@rowlock.example>\r\n"+
		"Delivered-To: zoe.garcia@mail.example\r\n"+
		string(letter("<order-42-confirmation@rowlock.example>")), string(text))
}

func TestRefusedRecipients(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, dir, sandbox.Options{})
	for _, to := range []string{
		"zoe@refused.example", "zoe@REFUSED.example", "Refused@mail.example", "zoe@refused.example",
	} {
		requireCode(t, 550, send(s, to, letter("<a@b>")))
	}
	for _, to := range []string{"refuse@mail.example", "refused@x@y", "zoe@notrefused.example"} {
		if err := send(s, to, letter("<a@b>")); err != nil {
			requireCode(t, 501, err) // an address that is none
		}
	}
	require.Equal(t, 3, readMailbox(t, dir).Refused)
	require.Len(t, readMailbox(t, dir).Refusals, 4)
}

func TestGreylistedRecipients(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, dir, sandbox.Options{})
	requireCode(t, 451, send(s, "a@greylisted.example", letter("<a@b>")))
	requireCode(t, 451, send(s, "b@greylisted.example", letter("<a@b>")))
	require.NoError(t, send(s, "a@greylisted.example", letter("<a@b>")))
	require.NoError(t, s.Close())
	s = start(t, dir, sandbox.Options{})
	require.NoError(t, send(s, "b@greylisted.example", letter("<b@b>")))

	box := readMailbox(t, dir)
	require.Len(t, box.Mails, 2)
	require.Len(t, box.Refusals, 2)
	require.Zero(t, box.Refused)
	require.Equal(t, "b@greylisted.example", box.Refusals[1].Recipient)
	require.Equal(t, "shop@rowlock.example", box.Refusals[1].Sender)
	require.Equal(t, 451, box.Refusals[1].Code)
}

func TestMessageIDsNeverBecomePaths(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, dir, sandbox.Options{})
	ids := []string{
		"<../../../etc/passwd@x>", "</tmp/x@x>", `<C:\windows\x@x>`, "<..@x>", "<.@x>",
		"<%2e%2e%2f@x>", "<a b\tc@x>", "<" + strings.Repeat("long-", 180) + "@x>", "<CON@x>",
		"=?utf-8?q?=2E=2E=2F?=", "<\xff\xfe@x>", "<a\x00b@x>", "no brackets",
	}
	for _, id := range ids {
		require.NoError(t, send(s, "zoe@mail.example", letter(id)), "%q", id)
	}
	box := readMailbox(t, dir)
	require.Len(t, box.Mails, len(ids))
	for _, m := range box.Mails {
		require.Equal(t, filepath.Join(dir, "mail"), filepath.Dir(m.File))
		require.Regexp(t, `^\d{6}-[a-z0-9]+(-[a-z0-9]+)*\.eml$`, filepath.Base(m.File))
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 4)
}

func TestManyMailsAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, dir, sandbox.Options{})
	const clients, each = 30, 5
	failed := make(chan error, clients*each)
	var running sync.WaitGroup
	for c := range clients {
		running.Go(func() {
			for n := range each {
				id := fmt.Sprintf("<order-%d-confirmation@x>", c*each+n)
				failed <- send(s, "zoe@mail.example", letter(id))
			}
		})
	}
	running.Wait()
	close(failed)
	for err := range failed {
		require.NoError(t, err)
	}
	box := readMailbox(t, dir)
	require.Equal(t, clients*each, box.Confirmations)
	require.Len(t, box.Mails, clients*each)
}

func TestMessagesAreRefusedWhole(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, dir, sandbox.Options{})
	large := append(letter("<a@b>"), strings.Repeat("0123456789\r\n", 1<<17)...)
	requireCode(t, 552, send(s, "zoe@mail.example", large))
	requireCode(t, 554, send(s, "zoe@mail.example", []byte("no header\r\n")))
	entries, err := os.ReadDir(filepath.Join(dir, "mail"))
	require.NoError(t, err)
	require.Empty(t, entries)
}

func TestUnfinishedMessagesAreRemoved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "mail"), 0o700))
	for _, name := range []string{".000009.tmp", "000041-x.eml", "notes.txt"} {
		path := filepath.Join(dir, "mail", name)
		require.NoError(t, os.WriteFile(path, letter("<order-1-confirmation@x>"), 0o600))
	}
	s := start(t, dir, sandbox.Options{})
	require.NoError(t, send(s, "zoe@mail.example", letter("<a@b>")))
	entries, err := os.ReadDir(filepath.Join(dir, "mail"))
	require.NoError(t, err)
	require.Len(t, entries, 3)
	require.Equal(t, "000042-a.eml", entries[1].Name())
	require.Len(t, readMailbox(t, dir).Mails, 2)
}

// A mail program opens what the mailbox keeps: its header reads well and its
// body is what was sent.
func TestMailsReadWell(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, dir, sandbox.Options{})
	require.NoError(t, send(s, "zoe@mail.example", letter("<a@b>")))
	file, err := os.Open(readMailbox(t, dir).Mails[0].File)
	require.NoError(t, err)
	defer file.Close()
	m, err := mail.ReadMessage(file)
	require.NoError(t, err)
	require.Equal(t, "Hello", m.Header.Get("Subject"))
	require.Equal(t, "zoe@mail.example", m.Header.Get("Delivered-To"))
}
