package sandbox

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/mail"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
)

const (
	refusalsFile  = "refusals.jsonl"
	maxMessage    = 1 << 20
	maxRecipients = 100 // as many as RFC 5321 asks for
)

// A Refusal is a recipient that the mail server did not take.
type Refusal struct {
	At        time.Time `json:"at"`
	Recipient string    `json:"recipient"`
	Sender    string    `json:"sender"`
	Code      int       `json:"code"` // 550: for good; 451: for now
}

// A mailbox is the mail server's side of the sandbox.
type mailbox struct {
	mails    *mailFolder
	refusals *journal
	log      *slog.Logger

	mu      sync.Mutex
	putOff  map[string]bool // recipients that were greylisted
	closing bool
	storing sync.WaitGroup
}

// openMailbox opens or makes the mail folder in dir and reads the refusals.
func openMailbox(dir *os.Root, log *slog.Logger) (*mailbox, error) {
	mails, err := openMailFolder(dir)
	if err != nil {
		return nil, err
	}
	m := &mailbox{mails: mails, log: log, putOff: make(map[string]bool)}
	var torn int64
	m.refusals, torn, err = openJournal(dir, refusalsFile, func(line []byte) error {
		r, err := parseRefusal(line)
		if err == nil && r.Code == codeGreylisted {
			m.putOff[r.Recipient] = true
		}
		return err
	})
	if err != nil {
		return nil, errors.Join(err, mails.close())
	}
	warnTorn(log, refusalsFile, torn)
	return m, nil
}

// server returns the SMTP server of m.
func (m *mailbox) server() *smtp.Server {
	s := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &session{box: m, conn: c.Conn()}, nil
	}))
	s.Domain = "sandbox.example"
	s.MaxMessageBytes = maxMessage
	s.MaxRecipients = maxRecipients
	s.ReadTimeout = time.Minute
	s.WriteTimeout = 10 * time.Second
	s.EnableSMTPUTF8 = true
	s.ErrorLog = slog.NewLogLogger(m.log.Handler(), slog.LevelWarn)
	return s
}

// close waits for messages that are being stored.
func (m *mailbox) close() error {
	m.mu.Lock()
	m.closing = true
	m.mu.Unlock()
	m.storing.Wait()
	return errors.Join(m.refusals.close(), m.mails.close())
}

// store keeps one message. It returns when the message is durable.
func (m *mailbox) store(msg *message) error {
	m.mu.Lock()
	if m.closing {
		m.mu.Unlock()
		return errClosed
	}
	m.storing.Add(1)
	m.mu.Unlock()
	defer m.storing.Done()
	return m.mails.store(msg)
}

// firstTime tells whether a greylisted recipient is new.
func (m *mailbox) firstTime(recipient string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	known := m.putOff[recipient]
	m.putOff[recipient] = true
	return !known
}

// A session is one client's conversation.
type session struct {
	box  *mailbox
	conn net.Conn
	envelope
}

// An envelope is from whom to whom a message goes, as the client said.
type envelope struct {
	from string
	to   []string
}

// A message is what came, and what its header calls it.
type message struct {
	envelope
	id   string // Message-ID, "" if it has none
	data []byte
}

// Mail begins a message.
func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if err := checkAddress(from); err != nil {
		return err
	}
	s.envelope = envelope{from: from}
	s.setBusy(true)
	return nil
}

const (
	codeRefused    = 550
	codeGreylisted = 451
)

// Rcpt adds a recipient, or refuses it by the rules.
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if err := checkAddress(to); err != nil {
		return err
	}
	var no *smtp.SMTPError
	switch judge(to) {
	case refused:
		no = &smtp.SMTPError{
			Code: codeRefused, EnhancedCode: smtp.EnhancedCode{5, 1, 1},
			Message: "No such mailbox here",
		}
	case greylisted:
		if s.box.firstTime(to) {
			no = &smtp.SMTPError{
				Code: codeGreylisted, EnhancedCode: smtp.EnhancedCode{4, 7, 1},
				Message: "Greylisted, please try again later",
			}
		}
	}
	if no == nil {
		s.to = append(s.to, to)
		return nil
	}
	err := s.box.refusals.append(Refusal{
		At: time.Now().UTC(), Recipient: to, Sender: s.from, Code: no.Code,
	})
	if err != nil {
		return s.unable(err)
	}
	return no
}

// Data takes the message itself.
func (s *session) Data(r io.Reader) error {
	data, err := io.ReadAll(r) // the server ends it at MaxMessageBytes
	if err != nil {
		if _, ok := errors.AsType[*smtp.SMTPError](err); ok {
			return err
		}
		return &smtp.SMTPError{
			Code: 451, EnhancedCode: smtp.EnhancedCode{4, 4, 2}, Message: "Message broke off",
		}
	}
	parsed, err := mail.ReadMessage(bytes.NewReader(data))
	if err != nil {
		return &smtp.SMTPError{
			Code: 554, EnhancedCode: smtp.EnhancedCode{5, 6, 0},
			Message: "Message does not begin with a header",
		}
	}
	id := strings.TrimSpace(parsed.Header.Get("Message-ID"))
	if err := s.box.store(&message{s.envelope, id, data}); err != nil {
		return s.unable(err)
	}
	return nil
}

// unable is the answer when the disk does not take what was asked.
func (s *session) unable(err error) error {
	s.box.log.Error("mailbox cannot be written", "error", err)
	return &smtp.SMTPError{
		Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "Mailbox cannot be written",
	}
}

// Reset ends a message, sent or not.
func (s *session) Reset() {
	s.envelope = envelope{}
	s.setBusy(false)
}

// Logout ends the conversation.
func (s *session) Logout() error { return nil }

func (s *session) setBusy(busy bool) {
	if conn, ok := s.conn.(*connection); ok {
		conn.setBusy(busy)
	}
}
