package jobs_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/rowlock/rowlock/jobs"
	"github.com/rowlock/rowlock/orders"
)

// load loads a file and returns how many orders it has placed and what it has
// rejected.
func (s *shop) load(file io.Reader) (placed int, rejected []string, err error) {
	s.Helper()
	l := jobs.Loader{DB: s.db, Queue: s.queue, Rejected: func(bad *orders.RowError) {
		rejected = append(rejected, bad.Error())
	}}
	placed, err = l.Load(s.Context(), orders.ReadFile(file))
	return placed, rejected, err
}

func line(number string) string {
	return number + ",Ann,ann@example.com,19.90,EUR,tok_ok,2026-11-02\n"
}

func TestLoadPlacesGoodRowsAndRejectsTheRestInOrder(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.place("B-1")
	file := orders.Header + "\n" + line("A-1") + line("A-2") + "x\n" + line("A-1") + line("B-1") +
		strings.Replace(line("A-3"), "19.90", "19.901", 1) + line("A-4")
	placed, rejected, err := s.load(strings.NewReader(file))
	require.NoError(t, err)
	require.Equal(t, 3, placed)
	require.Equal(t, []string{
		"line 4: has 1 fields, not 7",
		`line 5: order_number is "A-1", which an order has already`,
		`line 6: order_number is "B-1", which an order has already`,
		`line 7: amount is "19.901", with more than two decimal places`,
	}, rejected)
	require.Equal(t, []string{"4 process_order queued"}, s.jobs())
	require.Equal(t, []string{`{"number":"B-1"}`, `{"number":"A-1"}`, `{"number":"A-2"}`, `{"number":"A-4"}`},
		s.rows(`SELECT o.number FROM jobs j JOIN orders o ON o.id = (j.args ->> 'order_id')::bigint
		ORDER BY j.id`), "in the file's order")
}

func TestLoadGoesOnOverManyTransactions(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	var file strings.Builder
	file.WriteString(orders.Header + "\n")
	for i := range 1501 {
		file.WriteString(line(fmt.Sprintf("A-%04d", i)))
	}
	file.WriteString(line("A-0000"))
	placed, rejected, err := s.load(strings.NewReader(file.String()))
	require.NoError(t, err)
	require.Equal(t, 1501, placed)
	require.Equal(t, []string{`line 1503: order_number is "A-0000", which an order has already`}, rejected)
	require.Equal(t, []string{"1501 process_order queued"}, s.jobs())

	_, rejected, err = s.load(strings.NewReader(file.String())) // loaded again
	require.ErrorIs(t, err, jobs.ErrNoOrders)
	require.Len(t, rejected, 1502)
	require.Equal(t, []string{"1501 process_order queued"}, s.jobs())
}

func TestLoadWantsAGoodRow(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	_, rejected, err := s.load(strings.NewReader(orders.Header + "\nx\n"))
	require.ErrorIs(t, err, jobs.ErrNoOrders)
	require.Len(t, rejected, 1)
	_, _, err = s.load(strings.NewReader(orders.Header + "\n"))
	require.ErrorIs(t, err, jobs.ErrNoOrders)
	_, _, err = s.load(strings.NewReader("name,amount\n"))
	require.ErrorContains(t, err, "its first line must be "+orders.Header)
}

func TestLoadKeepsWhatItHadWhenTheFileBreaksOff(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	gone := errors.New("the disk is gone")
	file := io.MultiReader(strings.NewReader(orders.Header+"\n"+line("A-1")), iotest.ErrReader(gone))
	placed, _, err := s.load(file)
	require.ErrorIs(t, err, gone)
	require.Equal(t, 1, placed)
	require.Equal(t, []string{"1 process_order queued"}, s.jobs())
}
