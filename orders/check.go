// Here: what an order must be like. Everything that the table would refuse is
// refused here first, since an error from Postgres aborts the transaction.

package orders

import (
	"fmt"
	"net/mail"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// maxAmount is 99,999,999,999.99: exact in JSON, where numbers are often floats.
const maxAmount = 9_999_999_999_999

// An InvalidError says what is wrong with an order.
type InvalidError struct {
	Field  string // as the orders file calls it, such as "amount"
	Reason string // such as "is 12.345, with more than two decimal places"
}

// Error names the field and the reason.
func (e *InvalidError) Error() string { return e.Field + " " + e.Reason }

func invalid(field, format string, args ...any) error {
	return &InvalidError{Field: field, Reason: fmt.Sprintf(format, args...)}
}

// shown quotes what was read, the beginning of it if it is long.
func shown(text string) string {
	const most = 60
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most]) + "…"
	}
	return strconv.Quote(text)
}

// check returns an [*InvalidError] if o cannot be stored.
func (o *Order) check() error {
	for _, f := range []struct {
		field, text string
		shortest    int
		longest     int
		oneLine     bool
	}{
		{"order_number", o.Number, 1, 100, true},
		{"customer_name", o.CustomerName, 0, 500, false},
		{"customer_email", o.CustomerEmail, 1, 320, true},
		{"card_token", o.CardToken, 1, 255, true},
	} {
		switch n := utf8.RuneCountInString(f.text); {
		case strings.ContainsRune(f.text, 0):
			return invalid(f.field, "holds a NUL")
		case !utf8.ValidString(f.text):
			return invalid(f.field, "is not UTF-8")
		case n < f.shortest:
			return invalid(f.field, "is empty")
		case n > f.longest:
			return invalid(f.field, "has %d characters, more than %d", n, f.longest)
		case f.oneLine && strings.ContainsFunc(f.text, unicode.IsControl):
			return invalid(f.field, "is %s, with a control character", shown(f.text))
		}
	}
	if err := checkAddress(o.CustomerEmail); err != nil {
		return err
	}
	if o.Amount < 1 || o.Amount > maxAmount {
		return invalid("amount", "is %s, not from 0.01 to %s",
			FormatAmount(o.Amount), FormatAmount(maxAmount))
	}
	if !isCurrency(o.Currency) {
		return invalid("currency", "is %s, not three letters", shown(o.Currency))
	}
	if t := o.PlacedAt.UTC(); !t.IsZero() && (t.Year() < 1970 || t.Year() > 9999) {
		return invalid("placed_at", "is in the year %d, not from 1970 to 9999", t.Year())
	}
	return nil
}

// checkAddress takes a bare address only. What net/mail would read otherwise, as
// with a name or a comment, is not what a mail server would be told.
func checkAddress(email string) error {
	if len(email) > 320 {
		return invalid("customer_email", "has %d bytes, more than 320", len(email))
	}
	a, err := mail.ParseAddress(email)
	if err != nil || a.Address != email {
		return invalid("customer_email", "is %s, not an address such as ann@example.com",
			shown(email))
	}
	return nil
}

func isCurrency(s string) bool {
	return len(s) == 3 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

// parseAmount reads a decimal with at most two places as hundredths.
func parseAmount(s string) (int64, error) {
	whole, places, dotted := strings.Cut(s, ".")
	digits := strings.TrimLeft(whole, "0") + (places + "00")[:max(2, len(places))]
	switch {
	case whole == "" || dotted && places == "" || strings.Trim(whole+places, "0123456789") != "":
		return 0, invalid("amount", "is %s, not a decimal such as 19.90", shown(s))
	case len(places) > 2:
		return 0, invalid("amount", "is %s, with more than two decimal places", shown(s))
	}
	var n int64
	for _, d := range digits {
		if n = n*10 + int64(d-'0'); n > maxAmount {
			return 0, invalid("amount", "is %s, more than %s", shown(s), FormatAmount(maxAmount))
		}
	}
	if n == 0 {
		return 0, invalid("amount", "is %s, not above 0", shown(s))
	}
	return n, nil
}

// FormatAmount writes an amount in hundredths as the orders file does: 1990 is
// 19.90.
func FormatAmount(hundredths int64) string {
	sign := ""
	if hundredths < 0 {
		sign = "-"
	}
	rest := hundredths % 100
	return fmt.Sprintf("%s%d.%02d", sign, abs(hundredths/100), abs(rest))
}

func abs(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}

// parsePlacedAt reads a date, which means its beginning in UTC, or a time.
func parsePlacedAt(s string) (time.Time, error) {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, invalid("placed_at",
		"is %s, neither a date such as 2026-11-02 nor an RFC 3339 time", shown(s))
}
