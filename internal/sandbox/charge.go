package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"regexp"
	"strings"
	"time"
	"unicode"
)

const (
	maxBody   = 16 << 10
	maxKey    = 255
	maxText   = 1000    // bytes of source and of reference
	maxAmount = 1 << 53 // minor units: exact wherever JSON numbers are floats
)

var (
	currencyPattern = regexp.MustCompile(`^[A-Za-z]{3}$`)
	keyPattern      = regexp.MustCompile(`^[ -~]+$`)
)

// An Outcome is how a call to the gateway ended.
type Outcome string

const (
	// Captured means that the card was charged.
	Captured Outcome = "captured"
	// Declined means that the card will not be charged.
	Declined Outcome = "declined"
	// Broken means that the call ended without either; another may charge.
	Broken Outcome = "broken"
)

// A Charge is one line of the gateway's ledger.
type Charge struct {
	At        time.Time `json:"at"`
	Outcome   Outcome   `json:"outcome"`
	Key       string    `json:"key"`                 // idempotency key
	ID        string    `json:"id,omitempty"`        // if captured
	Reason    string    `json:"reason,omitempty"`    // if not captured
	Amount    int64     `json:"amount"`              // in minor units
	Currency  string    `json:"currency"`            // three capital letters
	Source    string    `json:"source"`              // the card's token
	Reference string    `json:"reference,omitempty"` // the caller's order, if given
}

// sameRequest tells whether both ask for the same payment.
func (c *Charge) sameRequest(other *Charge) bool {
	return c.Amount == other.Amount && c.Currency == other.Currency &&
		c.Source == other.Source && c.Reference == other.Reference
}

// order is what should be charged at most once.
func (c *Charge) order() string {
	if c.Reference != "" {
		return "reference " + c.Reference
	}
	return "key " + c.Key
}

func parseCharge(line []byte) (Charge, error) {
	var c Charge
	if err := json.Unmarshal(line, &c); err != nil {
		return c, err
	}
	switch {
	case c.Key == "":
		return c, errors.New("a charge without a key")
	case c.Outcome != Captured && c.Outcome != Declined && c.Outcome != Broken:
		return c, fmt.Errorf("unknown outcome %q", c.Outcome)
	}
	return c, nil
}

// A refusal is a call that is not even tried.
type refusal struct {
	status int
	reason string
}

func (r *refusal) Error() string { return r.reason }

func bad(format string, args ...any) *refusal {
	return &refusal{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

// readCharge returns what r asks for.
func readCharge(w http.ResponseWriter, r *http.Request) (*Charge, error) {
	keys := r.Header.Values("Idempotency-Key")
	if len(keys) != 1 {
		return nil, bad("send one Idempotency-Key header, not %d", len(keys))
	}
	if err := checkKey(keys[0]); err != nil {
		return nil, err
	}
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/json" {
		return nil, &refusal{http.StatusUnsupportedMediaType, "send application/json"}
	}

	var body struct {
		Amount    json.Number `json:"amount"`
		Currency  string      `json:"currency"`
		Source    string      `json:"source"`
		Reference reference   `json:"reference"`
	}
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	if err := decoder.Decode(&body); err != nil {
		return nil, refuseBody(err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, refuseBody(errors.New("more than one JSON value"))
	}

	amount, err := body.Amount.Int64()
	switch {
	case err != nil || amount < 1 || amount > maxAmount:
		return nil, bad("amount is a whole number of minor units from 1 to %d", int64(maxAmount))
	case !currencyPattern.MatchString(body.Currency):
		return nil, bad("currency is three letters")
	case body.Source == "" || !isText(body.Source):
		return nil, bad("source is 1 to %d bytes of text on one line", maxText)
	case !isText(string(body.Reference)):
		return nil, bad("reference is at most %d bytes of text on one line", maxText)
	}
	return &Charge{
		Key: keys[0], Amount: amount, Currency: strings.ToUpper(body.Currency),
		Source: body.Source, Reference: string(body.Reference),
	}, nil
}

func checkKey(key string) error {
	if !keyPattern.MatchString(key) || len(key) > maxKey {
		return bad("an idempotency key is 1 to %d printable ASCII characters", maxKey)
	}
	return nil
}

func isText(s string) bool {
	return len(s) <= maxText && !strings.ContainsFunc(s, unicode.IsControl)
}

func refuseBody(err error) *refusal {
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &refusal{
			http.StatusRequestEntityTooLarge, fmt.Sprintf("more than %d bytes", tooLarge.Limit),
		}
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return &refusal{http.StatusRequestTimeout, "the body did not come in time"}
	}
	return bad("body is not the JSON object of a charge: %v", err)
}

// A reference is a string or a number in JSON.
type reference string

// UnmarshalJSON takes a string, a number or null.
func (r *reference) UnmarshalJSON(data []byte) error {
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		return err
	}
	switch v := v.(type) {
	case nil:
	case string:
		*r = reference(v)
	case float64:
		*r = reference(data) // as written: a float would lose digits
	default:
		return errors.New("reference is a string or a number")
	}
	return nil
}
