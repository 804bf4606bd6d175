package sandbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/internal/sandbox"
)

// A payer speaks to a gateway.
type payer struct {
	url    string
	client *http.Client
}

// newPayer returns a payer with a new connection per call: net/http sends a call
// again by itself when a kept one breaks.
func newPayer(t *testing.T, url string) *payer {
	t.Helper()
	return &payer{url, &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
}

// An answer is what a gateway said.
type answer struct {
	Status    int    `json:"-"`
	ID        string `json:"id"`
	Reason    string `json:"reason"`
	Amount    int64  `json:"amount"`
	Reference string `json:"reference"`
}

func (p *payer) do(req *http.Request) (answer, error) {
	resp, err := p.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	a := answer{Status: resp.StatusCode}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return a, err
	}
	return a, json.Unmarshal(body, &a)
}

// post charges 1990 EUR cents to a card.
func (p *payer) post(ctx context.Context, key, source string) (answer, error) {
	return p.postBody(ctx, key, fmt.Sprintf(
		`{"amount": 1990, "currency": "EUR", "source": %q, "reference": "order of %s"}`,
		source, key))
}

func (p *payer) postBody(ctx context.Context, key, body string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+"/charges",
		strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Idempotency-Key", key)
	req.Header.Set("Content-Type", "application/json")
	return p.do(req)
}

// get looks a key up.
func (p *payer) get(ctx context.Context, key string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet,
		p.url+"/charges?key="+url.QueryEscape(key), nil)
	if err != nil {
		return answer{}, err
	}
	return p.do(req)
}

// mustPost and mustGet want an answer of some status.
func (p *payer) mustPost(t *testing.T, key, source string, status int) answer {
	t.Helper()
	a, err := p.post(t.Context(), key, source)
	require.NoError(t, err)
	require.Equal(t, status, a.Status, a.Reason)
	return a
}

func (p *payer) mustGet(t *testing.T, key string, status int) answer {
	t.Helper()
	a, err := p.get(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, status, a.Status, a.Reason)
	return a
}

func TestCardTokens(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, dir, sandbox.Options{Hang: time.Millisecond, Slow: time.Millisecond})
	p := newPayer(t, s.GatewayURL)

	for key, token := range map[string]string{
		"ok": sandbox.TokenOK, "slow": sandbox.TokenSlow, "unknown": "tok_unknown", "odd": "tök",
	} {
		p.mustGet(t, key, http.StatusNotFound)
		a := p.mustPost(t, key, token, http.StatusCreated)
		require.Regexp(t, `^ch_[0-9a-f]{24}$`, a.ID)
		require.EqualValues(t, 1990, a.Amount)
		require.Equal(t, "order of "+key, a.Reference)
		require.Equal(t, a, p.mustPost(t, key, token, http.StatusCreated))
		require.Equal(t, a.ID, p.mustGet(t, key, http.StatusOK).ID)
	}

	a := p.mustPost(t, "declined", sandbox.TokenDeclined, http.StatusPaymentRequired)
	require.NotEmpty(t, a.Reason)
	require.Equal(t, a,
		p.mustPost(t, "declined", sandbox.TokenDeclined, http.StatusPaymentRequired))
	require.Equal(t, a, p.mustGet(t, "declined", http.StatusPaymentRequired))

	p.mustPost(t, "outage", sandbox.TokenOutage, http.StatusInternalServerError)
	p.mustGet(t, "outage", http.StatusNotFound)
	p.mustPost(t, "outage", sandbox.TokenOutage, http.StatusCreated)

	p.mustPost(t, "500", sandbox.Token500AfterCharge, http.StatusInternalServerError)
	charged := p.mustGet(t, "500", http.StatusOK)
	p.mustPost(t, "500", sandbox.Token500AfterCharge, http.StatusInternalServerError)
	require.Equal(t, charged, p.mustGet(t, "500", http.StatusOK))

	_, err := p.post(t.Context(), "hang", sandbox.TokenHang)
	require.ErrorIs(t, err, io.EOF)
	p.mustGet(t, "hang", http.StatusNotFound)
	p.mustPost(t, "hang", sandbox.TokenHang, http.StatusCreated)

	_, err = p.post(t.Context(), "reset", sandbox.TokenReset)
	require.ErrorIs(t, err, syscall.ECONNRESET)
	charged = p.mustGet(t, "reset", http.StatusOK)
	require.Equal(t, charged.ID,
		p.mustPost(t, "reset", sandbox.TokenReset, http.StatusCreated).ID)

	ledger, err := sandbox.ReadLedger(dir)
	require.NoError(t, err)
	require.Len(t, ledger.Captured, 8)
	require.Len(t, ledger.Declined, 1)
	require.Len(t, ledger.Broken, 2)
	require.Zero(t, ledger.Duplicates)
	last := ledger.Captured[len(ledger.Captured)-1]
	require.WithinDuration(t, time.Now(), last.At, time.Minute)
	require.Equal(t, sandbox.Charge{
		At: last.At, Outcome: sandbox.Captured, Key: "reset", ID: charged.ID, Amount: 1990,
		Currency: "EUR", Source: sandbox.TokenReset, Reference: "order of reset",
	}, last)
}

// The test is done in milliseconds although the call may hang for a minute.
func TestHangEndsWhenTheClientGoesAway(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), sandbox.Options{Hang: time.Minute})
	p := newPayer(t, s.GatewayURL)

	ctx, hangUp := context.WithCancel(t.Context())
	hung := make(chan error)
	go func() {
		_, err := p.post(ctx, "k", sandbox.TokenHang)
		hung <- err
	}()
	eventuallyGet(t, p, "k", http.StatusConflict)
	p.mustPost(t, "k", sandbox.TokenHang, http.StatusConflict)

	hangUp()
	require.ErrorIs(t, <-hung, context.Canceled)
	eventuallyGet(t, p, "k", http.StatusNotFound)
	p.mustPost(t, "k", sandbox.TokenHang, http.StatusCreated)
}

func TestCloseEndsAHang(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), sandbox.Options{Hang: time.Minute})
	p := newPayer(t, s.GatewayURL)
	hung := make(chan error)
	go func() {
		_, err := p.post(t.Context(), "k", sandbox.TokenHang)
		hung <- err
	}()
	eventuallyGet(t, p, "k", http.StatusConflict)
	require.NoError(t, s.Close())
	require.ErrorIs(t, <-hung, io.EOF)
}

// A slow answer is about a charge that is made at once.
func TestSlowIsChargedAtOnce(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), sandbox.Options{Slow: time.Minute})
	p := newPayer(t, s.GatewayURL)
	ctx, hangUp := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() {
		_, err := p.post(ctx, "k", sandbox.TokenSlow)
		gone <- err
	}()
	eventuallyGet(t, p, "k", http.StatusOK)
	hangUp()
	require.ErrorIs(t, <-gone, context.Canceled)
}

// eventuallyGet looks a key up until the answer has a status.
func eventuallyGet(t *testing.T, p *payer, key string, status int) {
	t.Helper()
	require.Eventually(t, func() bool {
		a, err := p.get(t.Context(), key)
		return err == nil && a.Status == status
	}, 10*time.Second, time.Millisecond)
}

func TestOneKeyForManyCallsAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, dir, sandbox.Options{})
	p := newPayer(t, s.GatewayURL)

	answers := make(chan answer, 40)
	var calls sync.WaitGroup
	for range cap(answers) {
		calls.Go(func() {
			a, err := p.post(t.Context(), "k", sandbox.TokenOK)
			if err != nil {
				a.Reason = err.Error()
			}
			answers <- a
		})
	}
	calls.Wait()
	close(answers)
	charged := p.mustGet(t, "k", http.StatusOK)
	for a := range answers {
		if a.Status != http.StatusConflict {
			require.Equal(t, http.StatusCreated, a.Status, a.Reason)
			require.Equal(t, charged.ID, a.ID)
		}
	}
	ledger, err := sandbox.ReadLedger(dir)
	require.NoError(t, err)
	require.Len(t, ledger.Captured, 1)
}

func TestOneKeyForTwoPayments(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, dir, sandbox.Options{})
	p := newPayer(t, s.GatewayURL)
	first := `{"amount": 1990, "currency": "EUR", "source": "tok_ok", "reference": 42}`
	a, err := p.postBody(t.Context(), "k", first)
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, a.Status)
	require.Equal(t, "42", a.Reference)

	for from, to := range map[string]string{
		"1990": "1991", "EUR": "USD", "tok_ok": "tok_slow", "42": "43",
	} {
		other, err := p.postBody(t.Context(), "k", strings.Replace(first, from, to, 1))
		require.NoError(t, err)
		require.Equal(t, http.StatusUnprocessableEntity, other.Status, to)
	}
	require.Equal(t, a.ID, p.mustGet(t, "k", http.StatusOK).ID)
}

func TestHostileCalls(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, dir, sandbox.Options{})
	p := newPayer(t, s.GatewayURL)

	const good = `{"amount": 1990, "currency": "EUR", "source": "tok_ok"}`
	for _, c := range []struct {
		name, key, body string
		status          int
	}{
		{"no body", "k", "", 400},
		{"no JSON", "k", "amount=1990", 400},
		{"torn JSON", "k", good[:20], 400},
		{"two values", "k", good + good, 400},
		{"array", "k", "[" + good + "]", 400},
		{"null", "k", "null", 400},
		{"deep", "k", strings.Repeat("[", 15000), 400},
		{"huge", "k", `{"source": "` + strings.Repeat("x", 1<<20) + `"}`, 413},
		{"no amount", "k", `{"currency": "EUR", "source": "tok_ok"}`, 400},
		{"amount 0", "k", strings.Replace(good, "1990", "0", 1), 400},
		{"amount below 0", "k", strings.Replace(good, "1990", "-1", 1), 400},
		{"amount with places", "k", strings.Replace(good, "1990", "19.90", 1), 400},
		{"amount too large", "k", strings.Replace(good, "1990", "1e99999", 1), 400},
		{"amount of words", "k", strings.Replace(good, "1990", `"ten"`, 1), 400},
		{"bad currency", "k", strings.Replace(good, "EUR", "EURO", 1), 400},
		{"no source", "k", strings.Replace(good, "tok_ok", "", 1), 400},
		{"source of lines", "k", strings.Replace(good, "tok_ok", `a\nb`, 1), 400},
		{"NUL in source", "k", strings.Replace(good, "tok_ok", `a\u0000b`, 1), 400},
		{"long source", "k", strings.Replace(good, "tok_ok", strings.Repeat("x", 1001), 1), 400},
		{"odd reference", "k", `{"reference": {}, ` + good[1:], 400},
		{"empty key", "", good, 400},
		{"key of non-ASCII", "k\xff", good, 400},
		{"long key", strings.Repeat("k", 256), good, 400},
	} {
		a, err := p.postBody(t.Context(), c.key, c.body)
		require.NoError(t, err, c.name)
		require.Equal(t, c.status, a.Status, c.name)
		require.NotEmpty(t, a.Reason, c.name)
	}
	for _, key := range []string{"", "a\nb", strings.Repeat("k", 256)} {
		a := p.mustGet(t, key, http.StatusBadRequest)
		require.NotEmpty(t, a.Reason)
	}
	ledger, err := sandbox.ReadLedger(dir)
	require.NoError(t, err)
	require.Equal(t, &sandbox.Ledger{}, ledger)
	p.mustPost(t, "k", sandbox.TokenOK, http.StatusCreated)
}

func TestHostileHeaders(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), sandbox.Options{})
	p := newPayer(t, s.GatewayURL)
	for status, header := range map[int]http.Header{
		400: {"Idempotency-Key": {"a", "b"}, "Content-Type": {"application/json"}},
		415: {"Idempotency-Key": {"a"}, "Content-Type": {"text/plain"}},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
			p.url+"/charges", bytes.NewReader([]byte("{}")))
		require.NoError(t, err)
		req.Header = header
		a, err := p.do(req)
		require.NoError(t, err)
		require.Equal(t, status, a.Status)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet,
		p.url+"/charges?key=k", nil)
	require.NoError(t, err)
	req.Header.Set("X-Large", strings.Repeat("x", 1<<20))
	resp, err := p.client.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, resp.StatusCode)
}
