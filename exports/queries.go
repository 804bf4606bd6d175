// Here: what can be exported. No SQL comes from outside: a caller names a query and
// gives its parameters as text, which are read as their types before Postgres sees
// them.

package exports

import (
	"fmt"
	"maps"
	"net/mail"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Query can be exported.
type Query struct {
	Name   string
	About  string
	Params []Param // none has to be given

	sql string // its $1, $2 … are Params in their order, NULL if not given
}

// A Param narrows a [Query].
type Param struct {
	Name    string
	About   string
	Choices []string // the values that it can have; nil: it is a date or an RFC 3339 time
}

// An InvalidError says what is wrong with an export that was asked for.
type InvalidError struct {
	Field  string // such as "query", "mail_to" or "params.since"
	Reason string
}

// Error names the field and the reason.
func (e *InvalidError) Error() string { return e.Field + " " + e.Reason }

func invalid(field, format string, args ...any) error {
	return &InvalidError{Field: field, Reason: fmt.Sprintf(format, args...)}
}

const ordersSQL = `-- exports.orders
SELECT number AS order_number, customer_name, customer_email, round(amount / 100.0, 2) AS amount,
       currency, status, placed_at
  FROM orders
 WHERE ($1::timestamptz IS NULL OR placed_at >= $1)
   AND ($2::timestamptz IS NULL OR placed_at < $2)
   AND ($3::text IS NULL OR status = $3)
 ORDER BY id`

const paymentsSQL = `-- exports.payments
SELECT p.id AS payment_id, o.number AS order_number, p.key AS idempotency_key, p.state,
       round(p.amount / 100.0, 2) AS amount, p.currency, p.gateway_answer, p.created_at,
       p.settled_at
  FROM payments p JOIN orders o ON o.id = p.order_id
 WHERE ($1::timestamptz IS NULL OR p.created_at >= $1)
   AND ($2::timestamptz IS NULL OR p.created_at < $2)
   AND ($3::text IS NULL OR p.state = $3)
 ORDER BY p.id`

// Queries returns what can be exported, by name.
func Queries() []Query {
	since := Param{Name: "since", About: "only from this time on"}
	until := Param{Name: "until", About: "only before this time"}
	return []Query{
		{
			Name: "orders", About: "orders with their customers, by id", sql: ordersSQL,
			Params: []Param{since, until, {
				Name: "status", About: "only orders that stand so",
				Choices: []string{"placed", "processed", "payment_failed"},
			}},
		},
		{
			Name: "payments", About: "payments with the gateway's answers, by id", sql: paymentsSQL,
			Params: []Param{since, until, {
				Name: "state", About: "only payments that stand so",
				Choices: []string{"initiated", "captured", "declined"},
			}},
		},
	}
}

func find(name string) (*Query, error) {
	var names []string
	for _, q := range Queries() {
		if q.Name == name {
			return &q, nil
		}
		names = append(names, q.Name)
	}
	return nil, invalid("query", "is %.100q, not one of %s", name, strings.Join(names, ", "))
}

// args returns the values of q's parameters as its SQL has them.
func (q *Query) args(given map[string]string) ([]any, error) {
	var (
		args  []any
		names []string
	)
	for _, p := range q.Params {
		names = append(names, p.Name)
		text, ok := given[p.Name]
		if !ok {
			args = append(args, nil)
			continue
		}
		value, err := p.value(text)
		if err != nil {
			return nil, err
		}
		args = append(args, value)
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !slices.Contains(names, name) {
			return nil, invalid("params."+strconv.QuoteToASCII(name), "is not one of %s",
				strings.Join(names, ", "))
		}
	}
	return args, nil
}

func (p *Param) value(text string) (any, error) {
	if p.Choices != nil {
		if !slices.Contains(p.Choices, text) {
			return nil, invalid("params."+p.Name, "is %.100q, not one of %s", text,
				strings.Join(p.Choices, ", "))
		}
		return text, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		t, err := time.Parse(layout, text)
		if err == nil && t.UTC().Year() >= 1 && t.UTC().Year() <= 9999 {
			return t, nil
		}
	}
	return nil, invalid("params."+p.Name,
		"is %.100q, neither a date such as 2026-11-02 nor an RFC 3339 time", text)
}

func checkAddress(email string) error {
	a, err := mail.ParseAddress(email)
	if err != nil || a.Address != email || len(email) > 320 {
		return invalid("mail_to", "is %.100q, not an address such as ann@example.com", email)
	}
	return nil
}
