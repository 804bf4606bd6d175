package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/jobs"
)

// A strictServer takes mail after a password, in TLS. It counts what it takes.
type strictServer struct {
	smtp.Session
	mails  chan string
	authed bool
}

func (s *strictServer) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *strictServer) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "ann" || password != "p@ss" {
			return &smtp.SMTPError{Code: 535, Message: "wrong password"}
		}
		s.authed = true
		return nil
	}), nil
}

func (s *strictServer) Mail(string, *smtp.MailOptions) error {
	if !s.authed {
		return &smtp.SMTPError{Code: 530, Message: "authentication required"}
	}
	return nil
}

func (s *strictServer) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (s *strictServer) Reset()                               {}
func (s *strictServer) Logout() error                        { return nil }

func (s *strictServer) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	s.mails <- string(data)
	return err
}

// serveStrict starts the server, with TLS from the first byte or by STARTTLS.
func serveStrict(
	t *testing.T, implicit bool,
) (address string, roots *x509.CertPool, mails chan string) {
	t.Helper()
	web := httptest.NewTLSServer(nil) // has a certificate for 127.0.0.1
	defer web.Close()
	roots = x509.NewCertPool()
	roots.AddCert(web.Certificate())
	config := &tls.Config{Certificates: web.TLS.Certificates}

	mails = make(chan string, 1)
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) {
		return &strictServer{mails: mails}, nil
	}))
	server.Domain, server.TLSConfig = "127.0.0.1", config
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address = l.Addr().String()
	if implicit {
		l = tls.NewListener(l, config)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	t.Cleanup(func() {
		require.NoError(t, server.Close())
		<-ended
	})
	return address, roots, mails
}

func TestSendSpeaksTLSAndProvesItself(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		scheme, query string
		implicit      bool
	}{
		{"smtp://", "?tls=required", false},
		{"smtp://", "?tls=offered", false},
		{"smtps://", "", true},
	} {
		address, roots, mails := serveStrict(t, c.implicit)
		m := mailerFor(t, c.scheme+"ann:p%40ss@"+address+c.query)
		require.ErrorContains(t, m.Send(t.Context(), aMail()), "certificate", "nobody vouches for it")
		m.roots = roots
		require.NoError(t, m.Send(t.Context(), aMail()), c.scheme+c.query)
		require.Contains(t, <-mails, "<order-42-confirmation@shop.example>")

		// A wrong password is about us, not about the mail.
		m.password = "guess"
		err := m.Send(t.Context(), aMail())
		require.ErrorContains(t, err, "535")
		var refused *jobs.RefusedError
		require.False(t, errors.As(err, &refused))
		require.NotContains(t, err.Error(), "guess")
	}
}
