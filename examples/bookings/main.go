// Bookings is the desk of a restaurant. Each booking has a reminder: a job that
// sends the guest a message an hour before.
//
//	export DATABASE_URL=postgres://…
//	go run ./examples/bookings migrate          # makes the tables, once
//	go run ./examples/bookings book -in 3h Ada  # to be reminded in two hours
//	go run ./examples/bookings book -in 30m Bob # to be reminded at once
//	go run ./examples/bookings list
//	go run ./examples/bookings serve            # sends reminders until Ctrl-C
//	go run ./examples/bookings cancel 1         # booking and reminder, or neither
//
// When the provider of the messages is down, or refuses them all, as "serve -broken"
// plays it:
//
//	go run ./examples/bookings hold             # no reminders are sent
//	go run ./examples/bookings release          # until now
//	go run ./examples/bookings again            # sends those that have failed
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rowlock/rowlock/queue"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the first signal drains, a second one kills
	if err := run(ctx, os.Getenv("DATABASE_URL"), os.Args[1:], os.Stdout); err != nil {
		log.Fatal("bookings: ", err)
	}
}

var errUsage = errors.New("say one of: migrate, book [-in 2h] GUEST, list, cancel BOOKING, " +
	"serve [-broken], hold, release, again")

// A desk is what the commands work with.
type desk struct {
	db  *pgxpool.Pool
	q   queue.Client
	out io.Writer
}

// run runs one command.
func run(ctx context.Context, url string, args []string, out io.Writer) error {
	if len(args) == 0 {
		return errUsage
	}
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	var (
		in       time.Duration
		broken   bool
		operands int
	)
	switch args[0] {
	case "book":
		flags.DurationVar(&in, "in", 2*time.Hour, "")
		operands = 1
	case "cancel":
		operands = 1
	case "serve":
		flags.BoolVar(&broken, "broken", false, "")
	}
	if err := flags.Parse(args[1:]); err != nil || flags.NArg() != operands {
		return errors.Join(err, errUsage)
	}

	db, err := pgxpool.New(ctx, url)
	if err != nil {
		return err
	}
	defer db.Close()
	d := &desk{db: db, out: out}
	switch args[0] {
	case "migrate":
		return d.migrate(ctx)
	case "book":
		return d.book(ctx, flags.Arg(0), in)
	case "list":
		return d.list(ctx)
	case "cancel":
		id, err := strconv.ParseInt(flags.Arg(0), 10, 64)
		if err != nil {
			return fmt.Errorf("%q is not the number of a booking", flags.Arg(0))
		}
		return d.cancel(ctx, id)
	case "serve":
		return d.serve(ctx, broken)
	case "hold":
		return d.q.Pause(ctx, db, reminders)
	case "release":
		return d.q.Resume(ctx, db, reminders)
	case "again":
		return d.again(ctx)
	}
	return errUsage
}
