// Here: mail by SMTP.

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"github.com/rowlock/rowlock/jobs"
)

// An smtpMailer is a [jobs.Mailer] that takes each mail to one server, on a
// connection of its own.
type smtpMailer struct {
	host     string
	port     int
	user     string // "" means that the server wants no password
	password string
	security security
	from     netmail.Address
	timeout  time.Duration  // for the greeting up to the password, and for the mail
	roots    *x509.CertPool // who vouches for the server; nil means whom the system trusts
}

// security is how a connection is kept from others' eyes.
type security string

const (
	tlsNone     security = "none"     // not at all
	tlsIfThere  security = "offered"  // by STARTTLS where the server offers it
	tlsRequired security = "required" // by STARTTLS, or there is no mail
	tlsImplicit security = "implicit" // from the first byte
)

// newSMTPMailer returns a mailer for a URL of the form
//
//	smtp://user:password@host:587?tls=required
//	smtps://user:password@host:465
//
// where tls is none, offered or required. By default it is required, and none for
// a server on this machine. Mail comes from the address from.
func newSMTPMailer(smtpURL, from string) (*smtpMailer, error) {
	u, err := url.Parse(smtpURL)
	if err != nil || u.Hostname() == "" || u.Scheme != "smtp" && u.Scheme != "smtps" {
		// Without what was given: it may hold a password.
		return nil, errors.New("SMTP URL: give one like smtp://user:password@mail.example.com:587")
	}
	sender, err := netmail.ParseAddress(from)
	if err != nil {
		return nil, fmt.Errorf("mail sender %q: give an address such as shop@example.com", from)
	}
	m := &smtpMailer{host: u.Hostname(), from: *sender, timeout: 30 * time.Second}
	m.user = u.User.Username()
	m.password, _ = u.User.Password()
	if m.security, err = securityOf(u); err != nil {
		return nil, err
	}
	port := u.Port()
	switch {
	case port != "":
	case m.security == tlsImplicit:
		port = "465"
	default:
		port = "587"
	}
	if m.port, err = strconv.Atoi(port); err != nil || m.port < 1 || m.port > 65535 {
		return nil, fmt.Errorf("SMTP URL: port %q is not from 1 to 65535", port)
	}
	if m.user != "" && m.security != tlsRequired && m.security != tlsImplicit && !isLocal(m.host) {
		return nil, errors.New("SMTP URL: a password goes to another machine " +
			"only with tls=required or smtps://")
	}
	return m, nil
}

func securityOf(u *url.URL) (security, error) {
	query := u.Query()
	chosen := security(query.Get("tls"))
	query.Del("tls")
	for name := range query {
		return "", fmt.Errorf("SMTP URL: there is no setting %q, but tls", name)
	}
	switch {
	case u.Scheme == "smtps" && chosen == "":
		return tlsImplicit, nil
	case u.Scheme == "smtps":
		return "", errors.New("SMTP URL: smtps:// has TLS from the first byte: leave tls out")
	case chosen == "" && isLocal(u.Hostname()):
		return tlsNone, nil
	case chosen == "":
		return tlsRequired, nil
	case slices.Contains([]security{tlsNone, tlsIfThere, tlsRequired}, chosen):
		return chosen, nil
	}
	return "", fmt.Errorf("SMTP URL: tls is %q, not none, offered or required", string(chosen))
}

func isLocal(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Send hands m to the server and returns when that has taken it.
func (s *smtpMailer) Send(ctx context.Context, m *jobs.Mail) error {
	msg, err := s.message(m)
	if err != nil {
		return err
	}
	line := &phoneLine{mailer: s, ctx: ctx}
	defer line.hangUp()
	client, err := s.client(line)
	if err != nil {
		return err
	}
	err = client.DialAndSendWithContext(ctx, msg)
	if msg.IsDelivered() {
		return nil // what broke after that is no matter
	}
	if ctx.Err() != nil {
		return errors.Join(context.Cause(ctx), err)
	}
	if send, ok := errors.AsType[*mail.SendError](err); ok && isRefusal(send, m.To) {
		return &jobs.RefusedError{To: m.To, Err: err}
	}
	return err
}

// message makes a mail that is the same each time it is made, but for the
// boundary between its parts.
func (s *smtpMailer) message(m *jobs.Mail) (*mail.Msg, error) {
	to, err := netmail.ParseAddress(m.To)
	if err != nil || to.Address != m.To || strings.ContainsAny(m.To, "\r\n\x00") {
		return nil, &jobs.RefusedError{To: m.To, Err: errors.New("that is not an address")}
	}
	domain := s.from.Address[strings.LastIndexByte(s.from.Address, '@')+1:]
	msg := mail.NewMsg(mail.WithNoDefaultUserAgent())
	msg.FromMailAddress(&s.from)
	msg.ToMailAddress(&netmail.Address{Name: inHeader(m.ToName), Address: to.Address})
	msg.SetMessageIDWithValue(inHeader(m.Key) + "@" + domain)
	msg.SetDateWithValue(m.Date)
	msg.SetGenHeader("X-Entity-Ref-ID", inHeader(m.Key)) // keeps mail programs from threading
	msg.Subject(inHeader(m.Subject))
	msg.SetBodyString(mail.TypeTextPlain, m.Text)
	msg.AddAlternativeString(mail.TypeTextHTML, m.HTML)
	return msg, nil
}

// inHeader keeps what it is given within its line.
func inHeader(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
}

// client returns what sends one mail on line.
func (s *smtpMailer) client(line *phoneLine) (*mail.Client, error) {
	options := []mail.Option{
		mail.WithPort(s.port), mail.WithTimeout(s.timeout), mail.WithTLSConfig(s.tlsConfig()),
		mail.WithDialContextFunc(line.dial), mail.WithoutNoop(), mail.WithoutRset(),
	}
	switch s.security {
	case tlsNone:
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	case tlsIfThere:
		options = append(options, mail.WithTLSPolicy(mail.TLSOpportunistic))
	case tlsRequired:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	case tlsImplicit:
		options = append(options, mail.WithSSL())
	}
	if s.user != "" {
		// PLAIN and LOGIN themselves refuse a connection that is neither in TLS nor
		// to this machine.
		options = append(options, mail.WithUsername(s.user), mail.WithPassword(s.password),
			mail.WithOpportunisticSMTPAuth(mail.SMTPAuthSCRAMSHA256, mail.SMTPAuthSCRAMSHA1,
				mail.SMTPAuthPlain, mail.SMTPAuthLogin))
	}
	return mail.NewClient(s.host, options...)
}

func (s *smtpMailer) tlsConfig() *tls.Config {
	return &tls.Config{ServerName: s.host, MinVersion: tls.VersionTLS12, RootCAs: s.roots}
}

// A phoneLine is the connection of one Send. It is hung up when that ends or ctx
// does: go-mail leaves it open after some errors, and does not look at ctx once it
// is open.
type phoneLine struct {
	mailer *smtpMailer
	ctx    context.Context
	conn   net.Conn // nil before dial
	stop   func() bool
}

// dial opens the line. ctx ends when the server has greeted.
func (l *phoneLine) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	address := net.JoinHostPort(l.mailer.host, strconv.Itoa(l.mailer.port))
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	l.conn = conn
	l.stop = context.AfterFunc(l.ctx, func() { _ = conn.Close() })
	bounded := &boundedConn{Conn: conn, left: maxReplies}
	if l.mailer.security != tlsImplicit {
		return bounded, nil
	}
	secure := tls.Client(bounded, l.mailer.tlsConfig())
	return secure, secure.HandshakeContext(ctx)
}

func (l *phoneLine) hangUp() {
	if l.conn != nil {
		l.stop()
		_ = l.conn.Close()
	}
}

// notForGood matches the words of a server that says 550 and means later.
var notForGood = regexp.MustCompile(`(?i)gr[ae]y.?list|try again later|temporar`)

// isRefusal reports whether an error is a server's permanent no to a mail: 5yz to
// MAIL, RCPT or DATA. A wish for a password, or another one, is about us.
func isRefusal(err *mail.SendError, to string) bool {
	about := []mail.SendErrReason{
		mail.ErrSMTPMailFrom, mail.ErrSMTPRcptTo, mail.ErrSMTPData, mail.ErrSMTPDataClose,
	}
	switch code := err.ErrorCode(); {
	case code/100 != 5 || !slices.Contains(about, err.Reason):
		return false
	case code == 530, code == 534, code == 535, code == 538:
		return false
	}
	reply, _, _ := strings.Cut(err.Error(), ", affected ")
	return !strings.HasPrefix(err.EnhancedStatusCode(), "4.") &&
		!notForGood.MatchString(strings.ReplaceAll(reply, to, ""))
}

// maxReplies is how much a server may say in one conversation.
const maxReplies = 256 << 10

// A boundedConn is a connection to a server that must not talk for ever: its lines
// are read whole.
type boundedConn struct {
	net.Conn
	left int
}

func (c *boundedConn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, fmt.Errorf("mail server says more than %d bytes", maxReplies)
	}
	n, err := c.Conn.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}
