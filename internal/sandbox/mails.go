package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/mail"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

var (
	confirmationPattern = regexp.MustCompile(`^<order-[^@>]+-confirmation@`)
	exportReadyPattern  = regexp.MustCompile(`^<export-[^@>]+-ready@`)
)

// A Mailbox is all that the mail server has taken and refused.
type Mailbox struct {
	Mails    []Mail    // by file name, so as they came
	Refusals []Refusal // in the order of writing

	Confirmations int // Message-IDs like <order-42-confirmation@…>
	ExportsReady  int // Message-IDs like <export-7-ready@…>
	Others        int // other Message-IDs, and mails without one
	Duplicates    int // mails beyond the first of their Message-ID
	Refused       int // recipients that were refused for good
}

// A Mail is one message in the mailbox.
type Mail struct {
	File       string   // its path
	MessageID  string   // with its angle brackets; "" if it has none
	Recipients []string // its Delivered-To lines, which begin with the envelope's
}

// ReadMailbox returns the mailbox in the sandbox's folder dir. The sandbox may
// be running.
func ReadMailbox(dir string) (*Mailbox, error) {
	var m Mailbox
	if err := m.readMails(dir); err != nil {
		return nil, fmt.Errorf("read mailbox: %w", err)
	}
	if err := m.readRefusals(dir); err != nil {
		return nil, fmt.Errorf("read mailbox: %w", err)
	}
	return &m, nil
}

func (m *Mailbox) readMails(dir string) error {
	folder := filepath.Join(dir, mailDir)
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: is %s a sandbox's folder?", err, dir)
	}
	if err != nil {
		return err
	}
	seen := make(map[string]bool)
	for _, entry := range entries {
		if !isMail(entry.Name()) {
			continue
		}
		mail, err := readMail(filepath.Join(folder, entry.Name()))
		if err != nil {
			return err
		}
		m.Mails = append(m.Mails, mail)
		m.count(mail.MessageID, seen)
	}
	return nil
}

func (m *Mailbox) count(messageID string, seen map[string]bool) {
	switch {
	case messageID != "" && seen[messageID]:
		m.Duplicates++
	case confirmationPattern.MatchString(messageID):
		m.Confirmations++
	case exportReadyPattern.MatchString(messageID):
		m.ExportsReady++
	default:
		m.Others++
	}
	seen[messageID] = true
}

func readMail(path string) (Mail, error) {
	file, err := os.Open(path)
	if err != nil {
		return Mail{}, err
	}
	defer file.Close()
	message, err := mail.ReadMessage(file) // the header alone
	if err != nil {
		return Mail{}, fmt.Errorf("%s is not a message: %w", path, err)
	}
	return Mail{
		File:       path,
		MessageID:  strings.TrimSpace(message.Header.Get("Message-ID")),
		Recipients: message.Header["Delivered-To"],
	}, nil
}

func (m *Mailbox) readRefusals(dir string) error {
	file, err := os.Open(filepath.Join(dir, refusalsFile))
	if err != nil {
		return err
	}
	defer file.Close()
	refused := make(map[string]bool)
	_, err = readLines(file, func(line []byte) error {
		r, err := parseRefusal(line)
		if err != nil {
			return err
		}
		m.Refusals = append(m.Refusals, r)
		if r.Code == codeRefused {
			refused[r.Recipient] = true
		}
		return nil
	})
	m.Refused = len(refused)
	if err != nil {
		return fmt.Errorf("%s %w", file.Name(), err)
	}
	return nil
}

func parseRefusal(line []byte) (Refusal, error) {
	var r Refusal
	if err := json.Unmarshal(line, &r); err != nil {
		return r, err
	}
	if r.Recipient == "" || r.Code == 0 {
		return r, errors.New("a refusal without recipient or code")
	}
	return r, nil
}
