package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rowlock/rowlock/migrations"
	"github.com/rowlock/rowlock/queue"
)

const tableSQL = `
CREATE TABLE IF NOT EXISTS bookings (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  guest       text NOT NULL,
  at          timestamptz NOT NULL,
  reminder    bigint, -- the job
  reminded_at timestamptz)`

// migrate makes the queue's tables and ours.
func (d *desk) migrate(ctx context.Context) error {
	if _, err := migrations.Up(ctx, d.db); err != nil {
		return err
	}
	_, err := d.db.Exec(ctx, tableSQL)
	return err
}

const bookSQL = `
INSERT INTO bookings (guest, at) VALUES ($1, now() + $2::interval) RETURNING id`

// book stores a booking and its reminder: both or neither.
func (d *desk) book(ctx context.Context, guest string, in time.Duration) error {
	var id int64
	err := pgx.BeginFunc(ctx, d.db, func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, bookSQL, guest, in).Scan(&id); err != nil {
			return err
		}
		made, err := d.q.Insert(ctx, tx, queue.With{
			Args:  Remind{Booking: id},
			Delay: in - time.Hour, // at once, if less than an hour is left
		})
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE bookings SET reminder = $2 WHERE id = $1`, id, made.ID)
		return err
	})
	if err != nil {
		return fmt.Errorf("book for %s: %w", guest, err)
	}
	fmt.Fprintf(d.out, "booking %d is for %s\n", id, guest)
	return nil
}

// cancel deletes a booking and calls off its reminder: both or neither.
func (d *desk) cancel(ctx context.Context, id int64) error {
	var state queue.State // of the reminder
	err := pgx.BeginFunc(ctx, d.db, func(tx pgx.Tx) error {
		var reminder int64
		err := tx.QueryRow(ctx, `DELETE FROM bookings WHERE id = $1 RETURNING reminder`, id).
			Scan(&reminder)
		if err != nil {
			return err
		}
		state, err = d.callOff(ctx, tx, reminder)
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("there is no booking %d", id)
	}
	if err != nil {
		return fmt.Errorf("cancel booking %d: %w", id, err)
	}
	fmt.Fprintf(d.out, "booking %d is cancelled, and its reminder %s\n", id, state)
	return nil
}

const listSQL = `
SELECT b.id, b.guest, b.at, coalesce(j.state::text, '` + longOver + `')
  FROM bookings b LEFT JOIN all_jobs j ON j.id = b.reminder
 ORDER BY b.at, b.id`

// list prints the bookings, each with the state of its reminder.
func (d *desk) list(ctx context.Context) error {
	table := tabwriter.NewWriter(d.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "BOOKING\tGUEST\tAT\tREMINDER")
	var (
		id           int64
		guest, state string
		at           time.Time
	)
	rows, _ := d.db.Query(ctx, listSQL) // ForEachRow returns its error
	_, err := pgx.ForEachRow(rows, []any{&id, &guest, &at, &state}, func() error {
		_, err := fmt.Fprintf(table, "%d\t%s\t%s\t%s\n", id, guest, at.Format("Mon 15:04"), state)
		return err
	})
	if err != nil {
		return fmt.Errorf("list: %w", err)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	return d.sayIfOnHold(ctx)
}
