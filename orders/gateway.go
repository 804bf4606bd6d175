// Here: the payment gateway, as we speak to it over HTTP.
//
//	POST {URL}/charges          Idempotency-Key: KEY
//	                            {"amount": 1990, "currency": "EUR", "source": "tok_…",
//	                             "reference": "A-1001"}
//	GET  {URL}/charges?key=KEY  what became of the charge under KEY
//
// Both answer 200 or 201 {"id": "ch_1"} for a charge made, and 402 {"reason": "…"}
// for a card declined; the second answers 404 if KEY was never used.

package orders

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// A Gateway charges cards over HTTP. Its zero value but for URL is ready, for any
// number of goroutines; do not change its fields after the first use.
type Gateway struct {
	URL   string // such as https://pay.example.com/v1
	Token string // bearer token; "" sends none

	// Client makes the calls; nil means one that gives up after 20 s, keeps up to
	// 64 connections and follows no redirect: two calls, the look-up and the
	// charge, then fit into a minute.
	Client *http.Client

	made sync.Once
	own  *http.Client
}

// maxAnswer is how much of an answer is read.
const maxAnswer = 64 << 10

// A DeclinedError is the gateway's answer that the card will not be charged.
// Asking again brings the same answer.
type DeclinedError struct{ Reason string }

// Error gives the reason.
func (e *DeclinedError) Error() string { return "payment declined: " + e.Reason }

// A GatewayError says that it is not known whether the gateway has charged the
// card: it could not be reached, broke off, is busy with the same payment or with
// too many, or answered that it failed. Asking again later is right.
type GatewayError struct {
	After time.Duration // the gateway's wish, from Retry-After; 0 if it has none
	Err   error
}

// Error gives what went wrong.
func (e *GatewayError) Error() string { return "payment gateway: " + e.Err.Error() }

// Unwrap returns Err.
func (e *GatewayError) Unwrap() error { return e.Err }

// Charge collects p and returns the gateway's reference for it. A payment that
// may have been sent before is looked up first: gateways keep idempotency keys for
// a day or so and no longer, and some answer a known key with the first answer,
// failures included.
//
// Errors are a [*DeclinedError], a [*GatewayError], and others that waiting does
// not cure, such as a token that the gateway does not know.
func (g *Gateway) Charge(ctx context.Context, p *Payment) (ref string, err error) {
	if !p.Fresh {
		ref, err := g.find(ctx, p)
		if err != nil || ref != "" {
			return ref, err
		}
	}
	body, err := json.Marshal(map[string]any{
		"amount": p.Amount, "currency": p.Currency, "source": p.CardToken,
		"reference": p.Reference,
	})
	if err != nil {
		return "", fmt.Errorf("charge %s: %w", p.Key, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.url("/charges"),
		bytes.NewReader(body))
	if err != nil {
		return "", fmt.Errorf("charge %s: %w", p.Key, err)
	}
	req.Header.Set("Idempotency-Key", p.Key)
	req.Header.Set("Content-Type", "application/json")
	// Without GetBody, net/http does not by itself send a charge again after a
	// connection broke, as it else does if there is an Idempotency-Key.
	req.GetBody = nil
	return g.call(req, p)
}

// find returns the reference of the charge made under p's key, or "" if none was.
func (g *Gateway) find(ctx context.Context, p *Payment) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet,
		g.url("/charges?key="+url.QueryEscape(p.Key)), nil)
	if err != nil {
		return "", fmt.Errorf("look up charge %s: %w", p.Key, err)
	}
	return g.call(req, p)
}

func (g *Gateway) url(path string) string { return strings.TrimSuffix(g.URL, "/") + path }

// call returns the reference that the answer to req holds, "" if a look-up found
// nothing.
func (g *Gateway) call(req *http.Request, p *Payment) (string, error) {
	if g.Token != "" {
		req.Header.Set("Authorization", "Bearer "+g.Token)
	}
	resp, err := g.client().Do(req)
	if err != nil {
		return "", &GatewayError{Err: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err == nil && len(body) > maxAnswer {
		err = fmt.Errorf("status %s: answer of more than %d bytes", resp.Status, maxAnswer)
	}
	if err != nil {
		return "", &GatewayError{Err: err}
	}

	switch code := resp.StatusCode; {
	case code == http.StatusOK, code == http.StatusCreated:
		return charged(body, p)
	case code == http.StatusPaymentRequired:
		return "", declined(body)
	case code == http.StatusNotFound && req.Method == http.MethodGet:
		return "", nil
	case code >= 500, code == http.StatusConflict, code == http.StatusTooManyRequests,
		code == http.StatusRequestTimeout, code == http.StatusTooEarly:
		return "", &GatewayError{
			After: retryAfter(resp.Header),
			Err:   fmt.Errorf("status %s", resp.Status),
		}
	}
	return "", fmt.Errorf("payment gateway refuses the call: status %s: %.200q", resp.Status, body)
}

// charged reads the answer that p was charged.
func charged(body []byte, p *Payment) (string, error) {
	var charge struct {
		ID     string
		Amount *int64 // what was charged, if the gateway says so
	}
	if err := json.Unmarshal(body, &charge); err != nil {
		return "", &GatewayError{Err: fmt.Errorf("answer to charge %s: %w", p.Key, err)}
	}
	if charge.ID == "" {
		return "", &GatewayError{Err: fmt.Errorf("answer to charge %s has no id", p.Key)}
	}
	if charge.Amount != nil && *charge.Amount != p.Amount {
		return "", fmt.Errorf("payment gateway: charge %s under key %s is over %s, not %s",
			charge.ID, p.Key, FormatAmount(*charge.Amount), FormatAmount(p.Amount))
	}
	return charge.ID, nil
}

// declined reads the answer that the card was declined. One that does not say
// why may come from something else on the way, and decides nothing.
func declined(body []byte) error {
	var refusal struct{ Reason string }
	err := json.Unmarshal(body, &refusal)
	if err == nil && refusal.Reason == "" {
		err = errors.New("no reason given")
	}
	if err != nil {
		return &GatewayError{Err: fmt.Errorf("status 402: %w", err)}
	}
	return &DeclinedError{Reason: refusal.Reason}
}

// CloseIdleConnections closes the connections that g keeps for later calls.
func (g *Gateway) CloseIdleConnections() { g.client().CloseIdleConnections() }

func (g *Gateway) client() *http.Client {
	if g.Client != nil {
		return g.Client
	}
	g.made.Do(func() {
		g.own = &http.Client{
			Timeout: 20 * time.Second,
			Transport: &http.Transport{
				Proxy:               http.ProxyFromEnvironment,
				MaxIdleConnsPerHost: 64,
				IdleConnTimeout:     time.Minute,
				TLSHandshakeTimeout: 10 * time.Second,
				ForceAttemptHTTP2:   true,
			},
			// A redirect would take the card to an address that no one configured.
			CheckRedirect: func(*http.Request, []*http.Request) error {
				return http.ErrUseLastResponse
			},
		}
	})
	return g.own
}
