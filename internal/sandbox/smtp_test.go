package sandbox_test

import (
	"fmt"
	"net"
	"net/textproto"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/internal/sandbox"
)

const shortLetter = "Message-ID: <a@b>\r\n\r\nGood day."

// A talk is an SMTP conversation, byte by byte.
type talk struct {
	t    *testing.T
	text *textproto.Conn
}

// dial begins one, past EHLO.
func dial(t *testing.T, s *sandbox.Sandbox) *talk {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp",
		strings.TrimPrefix(s.SMTPURL, "smtp://"))
	require.NoError(t, err)
	text := textproto.NewConn(conn)
	t.Cleanup(func() { text.Close() })
	talk := &talk{t, text}
	talk.expect(220)
	talk.say("EHLO test.example", 250)
	return talk
}

// say sends a line and wants a reply of some code.
func (c *talk) say(line string, code int) {
	c.t.Helper()
	_, err := c.text.W.WriteString(line + "\r\n")
	require.NoError(c.t, err)
	require.NoError(c.t, c.text.W.Flush())
	c.expect(code)
}

func (c *talk) expect(code int) {
	c.t.Helper()
	_, _, err := c.text.ReadResponse(code)
	require.NoError(c.t, err)
}

func TestThousandRecipients(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := dial(t, start(t, dir, sandbox.Options{}))
	c.say("MAIL FROM:<shop@rowlock.example>", 250)
	for n := range 1000 {
		code := 250
		if n >= 100 {
			code = 452
		}
		c.say(fmt.Sprintf("RCPT TO:<zoe.%d@mail.example>", n), code)
	}
	c.say("DATA", 354)
	c.say(shortLetter+"\r\n.", 250)
	box := readMailbox(t, dir)
	require.Len(t, box.Mails, 1)
	require.Len(t, box.Mails[0].Recipients, 100)
}

func TestAddressesStayOnTheirLine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, dir, sandbox.Options{})
	for _, to := range []string{
		"a\rBcc: b@x.example", `"a` + "\r" + `"@x.example`, "a\x00b@x.example", "a\x7fb@x.example",
		`"a\` + "\r" + `"@x.example`, "<a@x.example>", "a@x.example>\x0b",
		strings.Repeat("a", 400) + "@x.example", "\xff\xfe@x.example",
	} {
		c := dial(t, s)
		c.say("MAIL FROM:<shop@rowlock.example>", 250)
		c.say("RCPT TO:<"+to+">", 5) // 5yz, by the parser or by our check
		c.say("DATA", 502)
		c.say("RSET", 250)
		c.say("MAIL FROM:<"+to+">", 5)
		c.say("QUIT", 221)
	}
	require.Equal(t, &sandbox.Mailbox{}, readMailbox(t, dir))
}

// The chunks of BDAT make one message; those of a client that goes make none.
func TestChunks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, dir, sandbox.Options{})
	chunk := fmt.Sprintf("BDAT %d\r\n%s", len(shortLetter)+2, shortLetter)
	for _, last := range []string{"QUIT", "BDAT 0 LAST"} {
		c := dial(t, s)
		c.say("MAIL FROM:<shop@rowlock.example>", 250)
		c.say("RCPT TO:<zoe@mail.example>", 250)
		c.say(chunk, 250)
		c.say(last, 2)
	}
	require.Len(t, readMailbox(t, dir).Mails, 1)
}

// Closing lets a message that is under way come in and tells idle clients to go.
func TestCloseInTheMiddleOfAMessage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, dir, sandbox.Options{})
	idle, busy := dial(t, s), dial(t, s)
	busy.say("MAIL FROM:<shop@rowlock.example>", 250)

	closed := make(chan error)
	go func() { closed <- s.Close() }()
	idle.expect(421)
	busy.say("RCPT TO:<zoe@mail.example>", 250)
	busy.say("DATA", 354)
	busy.say(shortLetter+"\r\n.", 250)
	busy.expect(421)
	require.NoError(t, <-closed)
	require.Len(t, readMailbox(t, dir).Mails, 1)
}

// A client that says nothing more holds a closing sandbox up for no longer than
// its grace.
func TestCloseOnASilentClient(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, dir, sandbox.Options{})
	c := dial(t, s)
	c.say("MAIL FROM:<shop@rowlock.example>", 250)
	c.say("RCPT TO:<zoe@mail.example>", 250)
	c.say("DATA", 354)
	require.NoError(t, s.Close())
	_, err := c.text.ReadLine()
	require.Error(t, err)
	require.Empty(t, readMailbox(t, dir).Mails)
}

// Three hundred clients at once are more than are served at once; the others
// wait for a place.
func TestMoreClientsThanPlaces(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), sandbox.Options{})
	talks := make(chan *talk, 300)
	go func() {
		defer close(talks)
		for range cap(talks) {
			conn, err := new(net.Dialer).DialContext(t.Context(), "tcp",
				strings.TrimPrefix(s.SMTPURL, "smtp://"))
			if err != nil {
				t.Error(err)
				return
			}
			talks <- &talk{t, textproto.NewConn(conn)}
		}
	}()
	for c := range talks {
		c.expect(220)
		c.say("QUIT", 221)
		require.NoError(t, c.text.Close())
	}
}
