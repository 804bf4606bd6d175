package orders_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/internal/sandbox"
	"github.com/rowlock/rowlock/orders"
)

// A calls is a payment gateway that answers as it is told and notes what it is
// asked.
type calls struct {
	mu      sync.Mutex
	asked   []string // method and path
	bodies  []string
	answers []func(w http.ResponseWriter) // one after the other; the last one stays
}

func (c *calls) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	c.mu.Lock()
	c.asked = append(c.asked, r.Method+" "+r.URL.String())
	c.bodies = append(c.bodies, string(body))
	answer := c.answers[0]
	if len(c.answers) > 1 {
		c.answers = c.answers[1:]
	}
	c.mu.Unlock()
	answer(w)
}

// log returns what was asked so far.
func (c *calls) log() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.asked)
}

func says(status int, body string, header ...string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// gateway returns a client of a server with those answers.
func gateway(
	t *testing.T, answers ...func(http.ResponseWriter),
) (*orders.Gateway, *calls) {
	t.Helper()
	c := &calls{answers: answers}
	server := httptest.NewServer(c)
	g := &orders.Gateway{URL: server.URL + "/v1/", Token: "secret"}
	t.Cleanup(func() {
		g.CloseIdleConnections()
		server.Close()
	})
	return g, c
}

var payment = orders.Payment{
	Key: "0f4ab5b8-0f4a-4f3c-9f5c-1e8f3a5e7d21", Amount: 1990, Currency: "EUR",
	CardToken: "tok_ok", Reference: "A-1", Fresh: true,
}

func unsure() *orders.Payment {
	p := payment
	p.Fresh = false
	return &p
}

func TestChargeSendsAFreshPaymentAtOnce(t *testing.T) {
	t.Parallel()
	g, c := gateway(t, says(201, `{"id":"ch_1","amount":1990}`))
	ref, err := g.Charge(t.Context(), &payment)
	require.NoError(t, err)
	require.Equal(t, "ch_1", ref)
	require.Equal(t, []string{"POST /v1/charges"}, c.asked)
	require.JSONEq(t, `{"amount":1990,"currency":"EUR","source":"tok_ok","reference":"A-1"}`,
		c.bodies[0])
}

func TestChargeLooksUpBeforeItSendsAgain(t *testing.T) {
	t.Parallel()
	lookUp := "GET /v1/charges?key=" + payment.Key

	g, c := gateway(t, says(200, `{"id":"ch_1"}`))
	ref, err := g.Charge(t.Context(), unsure())
	require.NoError(t, err)
	require.Equal(t, "ch_1", ref)
	require.Equal(t, []string{lookUp}, c.log(), "it was charged: nothing to send")

	g, c = gateway(t, says(404, ``), says(201, `{"id":"ch_2"}`))
	ref, err = g.Charge(t.Context(), unsure())
	require.NoError(t, err)
	require.Equal(t, "ch_2", ref)
	require.Equal(t, []string{lookUp, "POST /v1/charges"}, c.asked)

	g, c = gateway(t, says(402, `{"reason":"stolen"}`))
	_, err = g.Charge(t.Context(), unsure())
	var declined *orders.DeclinedError
	require.ErrorAs(t, err, &declined)
	require.Equal(t, "stolen", declined.Reason)
	require.Equal(t, []string{lookUp}, c.asked)

	g, c = gateway(t, says(500, ``))
	_, err = g.Charge(t.Context(), unsure())
	var unknown *orders.GatewayError
	require.ErrorAs(t, err, &unknown)
	require.Equal(t, []string{lookUp}, c.log(), "not knowing, it sends nothing")
}

func TestChargeTellsAnOutageFromAnAnswer(t *testing.T) {
	t.Parallel()
	long := `{"id":"` + strings.Repeat("x", 1<<20) + `"}`
	for _, c := range []struct {
		answer  func(http.ResponseWriter)
		outage  bool
		message string
		after   time.Duration
	}{
		{says(500, ``), true, "payment gateway: status 500 Internal Server Error", 0},
		{says(503, ``, "Retry-After", "120"), true, "503", 2 * time.Minute},
		{says(429, ``, "Retry-After", "3"), true, "429", 3 * time.Second},
		{says(409, ``), true, "409", 0},
		{says(200, `{}`), true, "has no id", 0},
		{says(200, `<html>`), true, "invalid character", 0},
		{says(200, long), true, "more than 65536 bytes", 0},
		{says(402, `proxy wants money`), true, "status 402: invalid character", 0},
		{says(402, `{}`), true, "status 402: no reason given", 0},
		{says(200, `{"id":"ch_1","amount":5}`), false, "is over 0.05, not 19.90", 0},
		{says(401, `{"reason":"who?"}`), false, `401 Unauthorized: "{\"reason\":\"who?\"}"`, 0},
		{says(404, ``), false, "404", 0},
		{says(307, ``, "Location", "http://elsewhere.example/charges"), false, "307", 0},
		{says(422, ``), false, "422", 0},
	} {
		g, calls := gateway(t, c.answer)
		_, err := g.Charge(t.Context(), &payment)
		require.ErrorContains(t, err, c.message)
		var outage *orders.GatewayError
		require.Equal(t, c.outage, errors.As(err, &outage), "%v", err)
		if c.outage {
			require.Equal(t, c.after, outage.After)
		}
		require.Len(t, calls.log(), 1, "no call is made twice, no redirect followed")
		require.NotContains(t, err.Error(), "secret")
	}
}

func TestRetryAfterIsSecondsOrADate(t *testing.T) {
	t.Parallel()
	date := "Mon, 02 Nov 2026 10:00:00 GMT"
	for text, want := range map[string]time.Duration{
		"0":                             0,
		" 90 ":                          90 * time.Second,
		"-5":                            0,
		"soon":                          0,
		"1.5":                           0,
		"86401":                         24 * time.Hour,
		"99999999999999999999":          24 * time.Hour,
		"Mon, 02 Nov 2026 10:01:30 GMT": 90 * time.Second,
		"Mon, 02 Nov 2026 09:59:00 GMT": 0,
		"Fri, 01 Jan 2100 00:00:00 GMT": 24 * time.Hour,
	} {
		g, _ := gateway(t, says(503, ``, "Date", date, "Retry-After", text))
		_, err := g.Charge(t.Context(), &payment)
		var outage *orders.GatewayError
		require.ErrorAs(t, err, &outage)
		require.Equal(t, want, outage.After, text)
	}
}

// A connection that breaks while a charge is under way is not sent again behind
// our back: the next attempt looks up first.
func TestChargeIsNotSentTwice(t *testing.T) {
	t.Parallel()
	hangUp := func(w http.ResponseWriter) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = conn.Close()
		}
	}
	g, c := gateway(t, says(201, `{"id":"ch_1"}`), hangUp, says(201, `{"id":"ch_2"}`))
	_, err := g.Charge(t.Context(), &payment) // leaves a connection that the next one reuses
	require.NoError(t, err)
	_, err = g.Charge(t.Context(), &payment)
	var outage *orders.GatewayError
	require.ErrorAs(t, err, &outage)
	require.Len(t, c.log(), 2)
}

func TestChargeEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	release := make(chan struct{}) // or the answer might be quicker than the end of ctx
	g, _ := gateway(t, func(http.ResponseWriter) {
		cancel()
		<-release
	})
	defer close(release)
	_, err := g.Charge(ctx, &payment)
	require.ErrorIs(t, err, context.Canceled)
	var outage *orders.GatewayError
	require.ErrorAs(t, err, &outage)
}

func TestChargeEndsInTime(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	g, _ := gateway(t, func(http.ResponseWriter) { <-release })
	defer close(release)
	g.Client = &http.Client{Timeout: 20 * time.Millisecond}
	_, err := g.Charge(t.Context(), &payment)
	var outage *orders.GatewayError
	require.ErrorAs(t, err, &outage)
}

// Against the sandbox: each of its faults, and never more than one charge.
func TestChargeOutlivesTheSandboxesFaults(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	box, err := sandbox.Start(t.Context(), dir,
		sandbox.Options{Hang: time.Millisecond, Slow: time.Millisecond})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, box.Close()) })
	g := &orders.Gateway{URL: box.GatewayURL}
	t.Cleanup(g.CloseIdleConnections)

	for i, token := range []string{
		sandbox.TokenOK, sandbox.TokenOutage, sandbox.Token500AfterCharge, sandbox.TokenHang,
		sandbox.TokenReset, sandbox.TokenSlow, "tok_unknown", sandbox.TokenDeclined,
	} {
		p := payment
		p.Key, p.CardToken, p.Reference = fmt.Sprintf("key-%d", i), token, fmt.Sprintf("A-%d", i)
		ref, err := g.Charge(t.Context(), &p)
		if _, ok := errors.AsType[*orders.GatewayError](err); ok {
			p.Fresh = false
			ref, err = g.Charge(t.Context(), &p)
		}
		if token == sandbox.TokenDeclined {
			var declined *orders.DeclinedError
			require.ErrorAs(t, err, &declined)
			continue
		}
		require.NoError(t, err, token)
		require.NotEmpty(t, ref)
	}
	ledger, err := sandbox.ReadLedger(dir)
	require.NoError(t, err)
	require.Len(t, ledger.Captured, 7)
	require.Len(t, ledger.Declined, 1)
	require.Zero(t, ledger.Duplicates)
	for _, c := range ledger.Captured {
		text, err := json.Marshal(c)
		require.NoError(t, err)
		require.EqualValues(t, 1990, c.Amount, string(text))
	}
}
