package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/internal/sandbox"
	"github.com/rowlock/rowlock/jobs"
)

func aMail() *jobs.Mail {
	return &jobs.Mail{
		Key: "order-42-confirmation", Kind: "confirmation", To: "ann@example.com", ToName: "Ann Lee",
		Subject: "Your order A-1", Text: "Dear Änn,\n.\nbye\n", HTML: "<p>Dear Änn</p>\n",
		Date: time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC),
	}
}

func mailerFor(t *testing.T, smtpURL string) *smtpMailer {
	t.Helper()
	m, err := newSMTPMailer(smtpURL, "The Shop <shop@shop.example>")
	require.NoError(t, err)
	return m
}

func TestNewSMTPMailerReadsItsURL(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"smtp://mail.example.com":                     "mail.example.com 587 required  ",
		"smtp://mail.example.com:25?tls=none":         "mail.example.com 25 none  ",
		"smtp://mail.example.com?tls=offered":         "mail.example.com 587 offered  ",
		"smtp://127.0.0.1:1025":                       "127.0.0.1 1025 none  ",
		"smtp://[::1]:1025":                           "::1 1025 none  ",
		"smtp://localhost:1025?tls=required":          "localhost 1025 required  ",
		"smtp://ann:p%40ss@mail.example.com":          "mail.example.com 587 required ann p@ss",
		"smtps://ann:pass@mail.example.com":           "mail.example.com 465 implicit ann pass",
		"smtp://ann:pass@127.0.0.1:1025":              "127.0.0.1 1025 none ann pass",
		"smtp://ann:pass@mail.example.com?tls=none":   "error: a password goes to another machine",
		"smtp://ann:pass@mail.example.com?tls=maybe":  `error: tls is "maybe"`,
		"smtp://ann:pass@mail.example.com?starttls=1": `error: there is no setting "starttls"`,
		"smtps://mail.example.com?tls=none":           "error: smtps:// has TLS from the first byte",
		"smtp://mail.example.com:99999":               `error: port "99999"`,
		"http://ann:pass@mail.example.com":            "error: give one like smtp://",
		"smtp://ann:pass@:25":                         "error: give one like smtp://",
		"smtp://ann:pass@mail.example.com:x":          "error: give one like smtp://",
		"mail.example.com:25":                         "error: give one like smtp://",
	} {
		m, err := newSMTPMailer(url, "shop@shop.example")
		if reason, bad := strings.CutPrefix(want, "error: "); bad {
			require.ErrorContains(t, err, "SMTP URL: "+reason, url)
			require.NotContains(t, err.Error(), ":pass@")
			continue
		}
		require.NoError(t, err, url)
		require.Equal(t, want,
			fmt.Sprintf("%s %d %s %s %s", m.host, m.port, m.security, m.user, m.password), url)
	}
	_, err := newSMTPMailer("smtp://127.0.0.1", "nobody")
	require.ErrorContains(t, err, `mail sender "nobody"`)
}

// To the sandbox: what arrives is what a mail program shows.
func TestSendDeliversBothForms(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	box, err := sandbox.Start(t.Context(), dir, sandbox.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, box.Close()) })
	m := mailerFor(t, box.SMTPURL)
	mail := aMail()
	mail.ToName = "Änn\r\nBcc: all@example.com"
	mail.Subject = "Your order\r\nX-Evil: 1"
	require.NoError(t, m.Send(t.Context(), mail))
	require.NoError(t, m.Send(t.Context(), mail))

	mailbox, err := sandbox.ReadMailbox(dir)
	require.NoError(t, err)
	require.Len(t, mailbox.Mails, 2)
	require.Equal(t, 1, mailbox.Duplicates, "the second is known by its Message-ID")
	file, err := os.Open(mailbox.Mails[0].File)
	require.NoError(t, err)
	defer file.Close()
	got, err := netmail.ReadMessage(file)
	require.NoError(t, err)
	require.Equal(t, "<order-42-confirmation@shop.example>", got.Header.Get("Message-ID"))
	require.Equal(t, "order-42-confirmation", got.Header.Get("X-Entity-Ref-ID"))
	require.Equal(t, "Mon, 02 Nov 2026 10:00:00 +0000", got.Header.Get("Date"))
	require.Equal(t, "Your order  X-Evil: 1", got.Header.Get("Subject"))
	require.Empty(t, got.Header.Get("X-Evil"))
	require.Empty(t, got.Header.Get("Bcc"))
	from, err := got.Header.AddressList("From")
	require.NoError(t, err)
	require.Equal(t, "The Shop", from[0].Name)
	to, err := got.Header.AddressList("To")
	require.NoError(t, err)
	require.Equal(t, []*netmail.Address{
		{Name: "Änn  Bcc: all@example.com", Address: "ann@example.com"},
	}, to)
	require.Equal(t, []string{"text/plain: Dear Änn,\n.\nbye\n", "text/html: <p>Dear Änn</p>\n"},
		parts(t, got))
}

// parts returns the parts of a mail with their types.
func parts(t *testing.T, m *netmail.Message) (list []string) {
	t.Helper()
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	require.NoError(t, err)
	require.Equal(t, "multipart/alternative", kind)
	for r := multipart.NewReader(m.Body, params["boundary"]); ; {
		p, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return list
		}
		require.NoError(t, err)
		require.Equal(t, "quoted-printable", p.Header.Get("Content-Transfer-Encoding"))
		body, err := io.ReadAll(quotedprintable.NewReader(p))
		require.NoError(t, err)
		kind, _, err := mime.ParseMediaType(p.Header.Get("Content-Type"))
		require.NoError(t, err)
		list = append(list, kind+": "+strings.ReplaceAll(string(body), "\r\n", "\n"))
	}
}

// A script is a mail server that says what it is told to: to each verb the answer
// under its name, or 250.
type script map[string]string

// serve starts the server and returns its URL.
func (s script) serve(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() { s.talk(conn) })
		}
	})
	t.Cleanup(func() {
		require.NoError(t, l.Close())
		conns.Wait() // each ends when the client hangs up, which it must
	})
	return "smtp://" + l.Addr().String()
}

// talk answers until the client hangs up, or hangs up itself where it is to say
// nothing.
func (s script) talk(conn net.Conn) {
	defer conn.Close()
	say := func(verb, otherwise string) bool {
		answer, ok := s[verb]
		if !ok {
			answer = otherwise
		}
		if answer == "" {
			return false
		}
		_, err := io.WriteString(conn, answer+"\r\n")
		return err == nil
	}
	in := bufio.NewScanner(conn)
	if !say("CONNECT", "220 script") {
		return
	}
	for in.Scan() {
		verb := strings.ToUpper(strings.SplitN(in.Text()+" ", " ", 2)[0])
		switch verb {
		case "DATA":
			if !say(verb, "354 go on") {
				return
			}
			if strings.HasPrefix(s[verb], "5") || strings.HasPrefix(s[verb], "4") {
				continue
			}
			for in.Scan() && in.Text() != "." {
			}
			verb = "DOT"
		case "QUIT":
			say(verb, "221 bye")
			return
		}
		if !say(verb, "250 ok") {
			return
		}
	}
}

func TestSendTellsARefusalFromATrouble(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		script  script
		refused bool
		says    string
	}{
		{script{"RCPT": "550 no such mailbox"}, true, `550 "no such mailbox"`},
		{script{"RCPT": "551 moved"}, true, "551"},
		{script{"MAIL": "553 bad sender"}, true, "553"},
		{script{"DATA": "554 no"}, true, "554"},
		{script{"DOT": "552 too large"}, true, "552"},
		{script{"RCPT": "450 busy"}, false, "450"},
		{script{"RCPT": "451 local error"}, false, "451"},
		{script{"MAIL": "452 full"}, false, "452"},
		{script{"DOT": "421 closing"}, false, "421"},
		{script{"RCPT": "550 Greylisted, come back"}, false, "550"},
		{script{"RCPT": "550 5.7.1 graylisting in effect"}, false, "550"},
		{script{"MAIL": "530 authentication required"}, false, "530"},
		{script{"MAIL": "535 bad password"}, false, "535"},
		{script{"CONNECT": "554 no service"}, false, "554"},
		{script{"CONNECT": ""}, false, ""},
		{script{"EHLO": "502 what?", "HELO": "502 what?"}, false, "502"},
		{script{"DATA": ""}, false, "EOF"},
		{script{"DOT": ""}, false, "EOF"},
		{script{"RCPT": "550-" + strings.Repeat("x", 8<<20)}, false, "says more than"},
	} {
		m := mailerFor(t, c.script.serve(t))
		err := m.Send(t.Context(), aMail())
		require.ErrorContains(t, err, c.says)
		var refused *jobs.RefusedError
		require.Equal(t, c.refused, errors.As(err, &refused), "%.200v", err)
	}
}

func TestSendIsDoneOnceTheServerHasTheMail(t *testing.T) {
	t.Parallel()
	for _, s := range []script{{"QUIT": ""}, {"QUIT": "421 shutting down"}, {"RSET": "502 what?"}} {
		require.NoError(t, mailerFor(t, s.serve(t)).Send(t.Context(), aMail()))
	}
}

func TestRefusalIsNotReadOutOfTheAddress(t *testing.T) {
	t.Parallel()
	mail := aMail()
	mail.To = "temporary@example.com"
	m := mailerFor(t, script{"RCPT": "550 <temporary@example.com>: no such mailbox"}.serve(t))
	var refused *jobs.RefusedError
	require.ErrorAs(t, m.Send(t.Context(), mail), &refused)
}

func TestSendRefusesWhatIsNoAddress(t *testing.T) {
	t.Parallel()
	m := mailerFor(t, "smtp://127.0.0.1:1") // nothing listens there
	for _, to := range []string{"", "ann", "a@b.example, c@d.example", "a@b.example\r\nRSET"} {
		mail := aMail()
		mail.To = to
		var refused *jobs.RefusedError
		require.ErrorAs(t, m.Send(t.Context(), mail), &refused, to)
	}
	var refused *jobs.RefusedError
	require.False(t, errors.As(m.Send(t.Context(), aMail()), &refused), "no connection")
}

func TestSendWantsTLSWhereItIsRequired(t *testing.T) {
	t.Parallel()
	m := mailerFor(t, script{}.serve(t)+"?tls=required")
	require.ErrorContains(t, m.Send(t.Context(), aMail()), "STARTTLS")
}

func TestSendEndsWithItsContextAndInTime(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, silent.Close()) })
	m := mailerFor(t, "smtp://"+silent.Addr().String())

	accepted := make(chan net.Conn, 2)
	go func() {
		for range cap(accepted) {
			if conn, err := silent.Accept(); err == nil {
				accepted <- conn
			}
		}
	}()
	why := errors.New("stopping")
	ctx, cancel := context.WithCancelCause(t.Context())
	sent := make(chan error)
	go func() { sent <- m.Send(ctx, aMail()) }()
	conn := <-accepted
	cancel(why)
	require.ErrorIs(t, <-sent, why)
	_, err = conn.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF, "the connection is closed")
	require.NoError(t, conn.Close())

	m.timeout = 50 * time.Millisecond
	require.ErrorIs(t, m.Send(t.Context(), aMail()), os.ErrDeadlineExceeded)
	require.NoError(t, (<-accepted).Close())
}

func FuzzInHeader(f *testing.F) {
	f.Add("Ann\r\nBcc: x")
	f.Add("\x00\x7f\u2028")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := newSMTPMailer("smtp://127.0.0.1", "shop@shop.example")
		require.NoError(t, err)
		mail := aMail()
		mail.ToName, mail.Subject = text, text
		msg, err := m.message(mail)
		require.NoError(t, err)
		var out strings.Builder
		_, err = msg.WriteTo(&out)
		require.NoError(t, err)
		got, err := netmail.ReadMessage(strings.NewReader(out.String()))
		require.NoError(t, err)
		require.Len(t, got.Header, 8, "no header more: %v", got.Header)
		to, err := got.Header.AddressList("To")
		require.NoError(t, err)
		require.Len(t, to, 1)
		require.Equal(t, mail.To, to[0].Address)
	})
}
