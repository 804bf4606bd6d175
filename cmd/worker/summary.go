// Here: an account, for people.

package main

import (
	"fmt"
	"strings"
)

// text is the account in a few lines.
func (a *account) text() string {
	var b strings.Builder
	o := a.Orders
	fmt.Fprintf(&b, "Orders   %d: %d processed, %d payment failed, %d missing, %d rejected\n",
		o.Total, o.Processed, o.PaymentFailed, o.Missing, o.Rejected)
	c := a.Charges
	fmt.Fprintf(&b, "Charges  %d captured, %d declined, %d duplicates\n",
		c.Captured, c.Declined, c.Duplicates)
	m := a.Mails
	fmt.Fprintf(&b, "Mails    %d confirmations, %d of exports, %d refused\n",
		m.Confirmation, m.ExportReady, m.Refused)
	if a.MailsTwice > 0 {
		fmt.Fprintf(&b, "         %d sent again after a crash, with the same Message-ID\n",
			a.MailsTwice)
	}
	for _, e := range a.Exports {
		fmt.Fprintf(&b, "Export   %d %s", e.ID, e.Status)
		if e.Path != "" {
			fmt.Fprintf(&b, ": %d rows, %d bytes in %s\n         SHA-256 %s",
				e.Rows, e.Bytes, e.Path, e.SHA256)
		}
		b.WriteString("\n")
	}
	b.WriteString("\n" + a.kindTable() + "\n")
	fmt.Fprintf(&b, "%d failed attempts, %d lost runs; %.1f s, %.0f jobs per second",
		a.Jobs.FailedAttempts, a.Jobs.Lost, a.Seconds, a.JobsPerSecond)
	if a.WaitsSkipped > 0 {
		fmt.Fprintf(&b, "; %.0f s of waiting skipped", a.WaitsSkipped)
	}
	b.WriteString("\n")
	return b.String()
}

// kindTable has a line for each kind of job, and a column for each end.
func (a *account) kindTable() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-16s %9s %9s %9s %9s %9s\n",
		"Jobs", "completed", "discarded", "dead", "cancelled", "to do")
	for _, k := range a.Kinds {
		fmt.Fprintf(&b, "%-16s %9d %9d %9d %9d %9d\n",
			k.Kind, k.Completed, k.Discarded, k.Dead, k.Cancelled, k.Live)
	}
	return b.String()
}
