package sandbox_test

import (
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/internal/sandbox"
)

func TestOrdersHoldEveryPeculiarity(t *testing.T) {
	t.Parallel()
	for _, n := range []int{50, 51, 500} {
		for seed := range uint64(20) {
			tokens := make(map[string]int)
			var twice, deleted, refused int
			for o := range sandbox.Orders(n, seed) {
				tokens[o.CardToken]++
				if o.Twice {
					twice++
				}
				if o.Deleted {
					deleted++
				}
				if strings.HasSuffix(o.CustomerEmail, "@refused.example") {
					refused++
					require.Equal(t, sandbox.TokenOK, o.CardToken)
				}
			}
			for _, token := range []string{
				sandbox.TokenDeclined, sandbox.TokenOutage, sandbox.Token500AfterCharge,
				sandbox.TokenHang, sandbox.TokenReset, sandbox.TokenSlow, "tok_visa_4242",
			} {
				require.Positive(t, tokens[token], token)
			}
			require.Greater(t, tokens[sandbox.TokenOK], n*7/10)
			require.Equal(t, []int{1, 1, 1}, []int{twice, deleted, refused})
		}
	}
}

func TestOrdersAreTheSameForASeed(t *testing.T) {
	t.Parallel()
	sevens := sandbox.Orders(100, 7)
	first := slices.Collect(sevens)
	require.Equal(t, first, slices.Collect(sevens))
	require.Equal(t, first[:10], take(sandbox.Orders(100, 7), 10))
	require.NotEqual(t, first, slices.Collect(sandbox.Orders(100, 8)))
	require.Equal(t, "R7-000001", first[0].Number)
	for n := range 60 {
		require.Len(t, slices.Collect(sandbox.Orders(n, 7)), n)
	}
	require.Empty(t, slices.Collect(sandbox.Orders(-1, 7)))
}

func take(orders func(func(sandbox.MadeOrder) bool), n int) (taken []sandbox.MadeOrder) {
	for o := range orders {
		if taken = append(taken, o); len(taken) == n {
			break
		}
	}
	return taken
}

func TestOrdersAreWellFormed(t *testing.T) {
	t.Parallel()
	currency := regexp.MustCompile(`^[A-Z]{3}$`)
	numbers, addresses := make(map[string]bool), make(map[string]bool)
	var before sandbox.MadeOrder
	for o := range sandbox.Orders(5000, 1) {
		address, err := mail.ParseAddress(o.CustomerEmail)
		require.NoError(t, err)
		require.Equal(t, o.CustomerEmail, address.Address)
		require.NotEmpty(t, o.CustomerName)
		require.True(t, utf8.ValidString(o.CustomerName))
		require.NotContains(t, o.CustomerName, "|")
		require.Positive(t, o.Amount)
		require.Less(t, o.Amount, int64(500_000))
		require.Regexp(t, currency, o.Currency)
		require.True(t, o.PlacedAt.After(before.PlacedAt))
		numbers[o.Number], addresses[o.CustomerEmail] = true, true
		before = o
	}
	require.Len(t, numbers, 5000)
	require.Len(t, addresses, 5000)
}
