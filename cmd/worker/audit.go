// Here: each order held against what the gateway and the mail server remember.

package main

import (
	"context"
	"regexp"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rowlock/rowlock/internal/sandbox"
)

// evidence is what the servers outside know of each order.
type evidence struct {
	*account
	captured  map[string][]sandbox.Charge // by the order's number
	confirmed map[int64]bool              // by the order's id
	refused   map[string]bool             // by address
}

var confirmationID = regexp.MustCompile(`^<order-([0-9]{1,18})-confirmation@`)

// readEvidence reads the sandbox's folder.
func (a *account) readEvidence(dir string) (*evidence, error) {
	ledger, err := sandbox.ReadLedger(dir)
	if err != nil {
		return nil, err
	}
	mailbox, err := sandbox.ReadMailbox(dir)
	if err != nil {
		return nil, err
	}
	a.Charges = chargeSums{len(ledger.Captured), len(ledger.Declined), ledger.Duplicates}
	a.Mails.Confirmation, a.Mails.ExportReady = mailbox.Confirmations, mailbox.ExportsReady
	a.MailsTwice = mailbox.Duplicates

	e := &evidence{
		account:  a,
		captured: make(map[string][]sandbox.Charge), confirmed: make(map[int64]bool),
		refused: make(map[string]bool),
	}
	for _, c := range ledger.Captured {
		e.captured[c.Reference] = append(e.captured[c.Reference], c)
	}
	for _, m := range mailbox.Mails {
		if found := confirmationID.FindStringSubmatch(m.MessageID); found != nil {
			id, _ := strconv.ParseInt(found[1], 10, 64) // the pattern bounds it
			e.confirmed[id] = true
		}
	}
	for _, r := range mailbox.Refusals {
		if r.Code/100 == 5 {
			e.refused[strings.ToLower(r.Recipient)] = true
		}
	}
	return e, nil
}

// An orderRow is what the database knows of an order.
type orderRow struct {
	ID                              int64
	Number, Email, Status, Currency string
	Amount                          int64
	Key                             string // of the captured payment, or ""
	Delivery                        string // of the confirmation: sending, sent, refused or ""
	Processing, Notifying           bool   // by a job that is not over
}

const auditSQL = `-- worker.audit
SELECT o.id, o.number, o.customer_email AS email, o.status, o.currency, o.amount,
       coalesce(p.key::text, '') AS key, coalesce(d.state, '') AS delivery,
       coalesce(j.processing, false) AS processing, coalesce(j.notifying, false) AS notifying
  FROM orders o
  LEFT JOIN payments p ON p.order_id = o.id AND p.state = 'captured'
  LEFT JOIN mail_deliveries d ON d.key = 'order-' || o.id || '-confirmation'
  LEFT JOIN (SELECT args->>'order_id' AS order_id, bool_or(kind = 'process_order') AS processing,
                    bool_or(kind = 'notify_customer') AS notifying
               FROM jobs WHERE kind IN ('process_order', 'notify_customer')
              GROUP BY 1) j ON j.order_id = o.id::text
 ORDER BY o.id`

// auditOrders counts the orders and looks at each.
func (e *evidence) auditOrders(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, auditSQL)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		o, err := pgx.RowToAddrOfStructByName[orderRow](rows)
		if err != nil {
			return err
		}
		e.audit(o)
	}
	return rows.Err()
}

func (e *evidence) audit(o *orderRow) {
	e.Orders.Total++
	charges := e.captured[o.Number]
	delete(e.captured, o.Number) // what is left belongs to no order
	if len(charges) > 1 {
		e.problem("order %s (id %d) was charged %d times", o.Number, o.ID, len(charges))
	}
	switch o.Status {
	case "processed":
		e.Orders.Processed++
		e.auditCharge(o, charges)
		e.auditMail(o)
	case "payment_failed":
		e.Orders.PaymentFailed++
		if len(charges) > 0 {
			e.problem("order %s (id %d) has a failed payment, and yet its card was charged",
				o.Number, o.ID)
		}
	default:
		if o.Processing {
			e.Open++
			break
		}
		e.problem("order %s (id %d) is %s, and no job is left to process it: look into dead_jobs",
			o.Number, o.ID, o.Status)
	}
}

// auditCharge wants one charge of a processed order, of its amount.
func (e *evidence) auditCharge(o *orderRow, charges []sandbox.Charge) {
	if len(charges) == 0 {
		e.problem("order %s (id %d) is processed, but the ledger has no charge for it",
			o.Number, o.ID)
		return
	}
	c := charges[0]
	if c.Amount != o.Amount || c.Currency != o.Currency {
		e.problem("order %s (id %d) is of %d %s, but %d %s were charged (in hundredths)",
			o.Number, o.ID, o.Amount, o.Currency, c.Amount, c.Currency)
	}
	if c.Key != o.Key {
		e.problem("order %s (id %d) was charged under the key %s, but its payment has %q",
			o.Number, o.ID, c.Key, o.Key)
	}
}

// auditMail wants a confirmation of a processed order, or a refusal.
func (e *evidence) auditMail(o *orderRow) {
	refused := o.Delivery == "refused" && e.refused[strings.ToLower(o.Email)]
	switch {
	case e.confirmed[o.ID], refused:
	case o.Notifying:
		e.Open++
	case o.Delivery == "refused":
		e.problem("the confirmation of order %s (id %d) is on record as refused, "+
			"but the mail server has not refused it", o.Number, o.ID)
	default:
		e.problem("order %s (id %d) is processed, but has neither a confirmation nor a refusal",
			o.Number, o.ID)
	}
}

const knownOrdersSQL = `-- worker.known_orders
SELECT number FROM orders WHERE number = ANY($1)`

// auditStrangers looks at charges for orders that the snapshot does not have: those
// were placed since, or are of another shop.
func (e *evidence) auditStrangers(ctx context.Context, db *pgxpool.Pool) error {
	numbers := make([]string, 0, len(e.captured))
	for number := range e.captured {
		numbers = append(numbers, number)
	}
	rows, err := db.Query(ctx, knownOrdersSQL, numbers)
	if err != nil {
		return err
	}
	known, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, number := range known {
		delete(e.captured, number)
	}
	if n := len(e.captured); n > 0 {
		for number := range e.captured {
			e.problem("the ledger has a charge for order %s, which is not in this database; "+
				"there are %d such: a sandbox's folder goes with one database", number, n)
			break
		}
	}
	return nil
}
