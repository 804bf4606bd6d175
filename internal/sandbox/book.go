package sandbox

import (
	"net/http"
	"os"
	"sync"
)

// A book is what the gateway knows of each idempotency key: the ledger, and in
// memory what it says.
type book struct {
	ledger *journal

	mu       sync.Mutex
	accounts map[string]*account
}

// An account is one key.
type account struct {
	Charge      // as asked; as decided if it is settled
	broken int  // calls that ended without a decision
	busy   bool // a call is under way
}

// settled tells whether the key has been charged or declined.
func (a *account) settled() bool { return a.Outcome == Captured || a.Outcome == Declined }

// openBook reads the ledger in dir.
func openBook(dir *os.Root) (b *book, torn int64, err error) {
	b = &book{accounts: make(map[string]*account)}
	b.ledger, torn, err = openJournal(dir, ledgerFile, func(line []byte) error {
		c, err := parseCharge(line)
		if err == nil {
			b.enter(c)
		}
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	return b, torn, nil
}

// enter takes a line of the ledger into memory.
func (b *book) enter(c Charge) {
	acc := b.accounts[c.Key]
	if acc == nil {
		acc = new(account)
		b.accounts[c.Key] = acc
	}
	if c.Outcome == Broken {
		acc.broken++
	}
	if !acc.settled() {
		acc.Charge = c
	}
}

// begin opens the account for a call and returns it as it stands. If it is not
// settled no other call gets it until end.
func (b *book) begin(asked *Charge) (account, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	acc := b.accounts[asked.Key]
	if acc == nil {
		acc = &account{Charge: *asked}
		b.accounts[asked.Key] = acc
	}
	switch {
	case !acc.sameRequest(asked):
		return *acc, &refusal{
			http.StatusUnprocessableEntity,
			"this key was used for another payment: use a new key",
		}
	case acc.settled():
		return *acc, nil
	case acc.busy:
		return *acc, errUnderWay()
	}
	acc.busy = true
	return *acc, nil
}

// end closes the account after a call.
func (b *book) end(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.accounts[key].busy = false
}

// record writes c to the ledger and returns when it is safe there.
func (b *book) record(c Charge) error {
	if err := b.ledger.append(c); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.enter(c)
	return nil
}

// find returns what key was settled as.
func (b *book) find(key string) (account, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	acc := b.accounts[key]
	switch {
	case acc != nil && acc.settled():
		return *acc, nil
	case acc != nil && acc.busy:
		return account{}, errUnderWay() // 404 would say that nothing gets charged
	}
	return account{}, &refusal{http.StatusNotFound, "no charge was made with this key"}
}

func errUnderWay() *refusal {
	return &refusal{http.StatusConflict, "a call with this key is under way: ask again later"}
}
