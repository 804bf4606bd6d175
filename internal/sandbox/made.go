package sandbox

import (
	_ "embed" // the customers
	"fmt"
	"iter"
	"math/rand/v2"
	"strings"
	"time"
)

//go:embed names.txt
var customers string // name|mail lines

// A MadeOrder is an order that nobody has placed.
type MadeOrder struct {
	Number        string
	CustomerName  string
	CustomerEmail string // one per order; its domain exists nowhere
	Amount        int64  // in minor units
	Currency      string
	CardToken     string
	PlacedAt      time.Time
	Twice         bool // to be placed with two jobs
	Deleted       bool // to be deleted again before its job runs
}

// Orders makes n orders in the order of their placing, the same ones for the
// same seed. Most cards are charged. From fifty orders on each token that the
// gateway has a rule for occurs; one order is Twice, one is Deleted, and one
// customer's address is refused by the mail server. Fewer orders have fewer of
// these.
func Orders(n int, seed uint64) iter.Seq[MadeOrder] {
	return func(yield func(MadeOrder) bool) {
		random := rand.New(rand.NewPCG(seed, 0))
		peculiar := peculiarities(n, random)
		people := strings.Split(strings.TrimSpace(customers), "\n")
		placed := time.Date(2026, time.January, 5, 6, 30, 0, 0, time.UTC)

		for i := range n {
			placed = placed.Add(time.Duration(1+random.IntN(600)) * time.Second)
			name, account, _ := strings.Cut(people[random.IntN(len(people))], "|")
			order := MadeOrder{
				Number:        fmt.Sprintf("R%d-%06d", seed, i+1),
				CustomerName:  name,
				CustomerEmail: fmt.Sprintf("%s.%d@%s", account, i+1, mailDomain(random)),
				Amount:        amount(random),
				Currency:      currency(random),
				CardToken:     token(random),
				PlacedAt:      placed,
			}
			if change := peculiar[i]; change != nil {
				order.CardToken = TokenOK
				change(&order)
			}
			if !yield(order) {
				return
			}
		}
	}
}

// peculiarities says which of the first orders are special, and how.
func peculiarities(n int, random *rand.Rand) map[int]func(*MadeOrder) {
	paidWith := func(token string) func(*MadeOrder) {
		return func(o *MadeOrder) { o.CardToken = token }
	}
	changes := []func(*MadeOrder){
		paidWith(TokenDeclined),
		paidWith(TokenOutage),
		paidWith(Token500AfterCharge),
		func(o *MadeOrder) { o.Twice = true },
		func(o *MadeOrder) { o.Deleted = true },
		func(o *MadeOrder) {
			account, _, _ := strings.Cut(o.CustomerEmail, "@")
			o.CustomerEmail = account + "@refused.example"
		},
		paidWith(TokenReset),
		paidWith(TokenHang),
		paidWith(TokenSlow),
		paidWith("tok_visa_4242"), // one that the gateway has no rule for
	}
	const among = 50
	places := random.Perm(min(max(n, 0), among))
	peculiar := make(map[int]func(*MadeOrder), len(changes))
	for i, place := range places[:min(len(places)/2, len(changes))] {
		peculiar[place] = changes[i]
	}
	return peculiar
}

// token draws a card: in a hundred about four are declined and two meet a fault.
func token(random *rand.Rand) string {
	switch draw := random.IntN(1000); {
	case draw < 40:
		return TokenDeclined
	case draw < 48:
		return TokenOutage
	case draw < 53:
		return Token500AfterCharge
	case draw < 57:
		return TokenReset
	case draw < 60:
		return TokenSlow
	case draw < 62:
		return TokenHang
	}
	return TokenOK
}

// amount is the sum of one to five prices, mostly small.
func amount(random *rand.Rand) int64 {
	var sum int64
	for range 1 + random.IntN(5) {
		price := int64(3 + random.ExpFloat64()*25)
		sum += min(price, 900)*100 - 100 + []int64{99, 95, 90, 50, 0}[random.IntN(5)]
	}
	return sum
}

func currency(random *rand.Rand) string {
	return []string{"EUR", "EUR", "EUR", "USD", "USD", "GBP", "CHF", "SEK"}[random.IntN(8)]
}

// mailDomain is one of those that are kept free for examples.
func mailDomain(random *rand.Rand) string {
	return []string{"mail.example", "post.example", "example.com", "example.org"}[random.IntN(4)]
}
