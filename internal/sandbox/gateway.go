package sandbox

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// A gateway is the payment gateway's HTTP side.
type gateway struct {
	book       *book
	hang, slow time.Duration
	log        *slog.Logger
}

// server returns the HTTP server of g. When ctx ends, calls that only wait do so
// no longer.
func (g *gateway) server(ctx context.Context) *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /charges", g.charge)
	mux.HandleFunc("GET /charges", g.lookUp)
	return &http.Server{
		Handler:        mux,
		ReadTimeout:    10 * time.Second,
		WriteTimeout:   g.hang + g.slow + 30*time.Second,
		IdleTimeout:    2 * time.Minute, // longer than clients keep theirs
		MaxHeaderBytes: maxBody,
		BaseContext:    func(net.Listener) context.Context { return ctx },
		ErrorLog:       slog.NewLogLogger(g.log.Handler(), slog.LevelWarn),
	}
}

// charge answers POST /charges.
func (g *gateway) charge(w http.ResponseWriter, r *http.Request) {
	asked, err := readCharge(w, r)
	if err != nil {
		g.refuse(w, err)
		return
	}
	// All is read. If the deadline for reading stayed it would end the context of
	// a call that hangs for longer.
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})

	known, err := g.book.begin(asked)
	if err != nil {
		g.refuse(w, err)
		return
	}
	if known.settled() {
		g.answer(w, &known.Charge)
		return
	}
	decided, err := g.decide(r.Context(), asked, known.broken)
	if err != nil {
		g.refuse(w, err)
		return
	}

	// From here on only the answer can go wrong.
	switch {
	case decided.Outcome == Broken && decided.Source == TokenHang:
		panic(http.ErrAbortHandler) // closes the connection without an answer
	case decided.Outcome == Captured && decided.Source == TokenReset:
		reset(w)
		return
	case decided.Outcome == Captured && decided.Source == TokenSlow:
		wait(r.Context(), g.slow)
	}
	g.answer(w, decided)
}

// decide settles the account that begin has opened, or breaks, as its card's
// token wants it; broken calls have broken before. It closes the account.
func (g *gateway) decide(ctx context.Context, asked *Charge, broken int) (*Charge, error) {
	defer g.book.end(asked.Key)

	decided := *asked
	decided.At = time.Now().UTC()
	switch {
	case asked.Source == TokenDeclined:
		decided.Outcome, decided.Reason = Declined, "insufficient funds"
	case asked.Source == TokenOutage && broken == 0:
		decided.Outcome, decided.Reason = Broken, "the gateway is out of order"
	case asked.Source == TokenHang && broken == 0:
		decided.Outcome, decided.Reason = Broken, "left without an answer"
	default:
		decided.Outcome, decided.ID = Captured, newChargeID()
	}
	if err := g.book.record(decided); err != nil {
		return nil, err
	}
	if decided.Outcome == Broken && decided.Source == TokenHang {
		wait(ctx, g.hang)
	}
	return &decided, nil
}

// lookUp answers GET /charges?key=K.
func (g *gateway) lookUp(w http.ResponseWriter, r *http.Request) {
	key := r.URL.Query().Get("key")
	if err := checkKey(key); err != nil {
		g.refuse(w, err)
		return
	}
	found, err := g.book.find(key)
	switch {
	case err != nil:
		g.refuse(w, err)
	case found.Outcome == Declined:
		g.answer(w, &found.Charge)
	default:
		write(w, http.StatusOK, found.Charge)
	}
}

// answer tells what was decided about a charge.
func (g *gateway) answer(w http.ResponseWriter, c *Charge) {
	switch {
	case c.Outcome == Captured && c.Source == Token500AfterCharge:
		write(w, http.StatusInternalServerError, reason("something went wrong"))
	case c.Outcome == Captured:
		write(w, http.StatusCreated, c)
	case c.Outcome == Declined:
		write(w, http.StatusPaymentRequired, reason(c.Reason))
	default:
		write(w, http.StatusInternalServerError, reason(c.Reason))
	}
}

// refuse tells why a call was not tried, or that the ledger cannot be written.
func (g *gateway) refuse(w http.ResponseWriter, err error) {
	if r, ok := errors.AsType[*refusal](err); ok {
		write(w, r.status, reason(r.reason))
		return
	}
	g.log.Error("gateway's ledger cannot be written", "error", err)
	write(w, http.StatusServiceUnavailable, reason("the ledger cannot be written"))
}

func reason(text string) map[string]string { return map[string]string{"reason": text} }

func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client may have gone: it will look up
}

// reset ends the connection with a TCP reset.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // not HTTP/1: closing it has to do
	}
	if conn, ok := conn.(*connection); ok {
		conn.reset()
		return
	}
	_ = conn.Close()
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

func newChargeID() string {
	id := make([]byte, 12)
	rand.Read(id) // never returns an error
	return "ch_" + hex.EncodeToString(id)
}
