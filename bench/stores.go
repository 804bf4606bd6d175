// Here: the servers and programs that peers share.

package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5/pgxpool"
)

// A stores has what peers need, started when the first asks for it.
type stores struct {
	postgres    *postgres
	nodeVersion string
	log         io.Writer // progress

	server   *redis
	noServer error // why there is none
}

// redis returns the Redis of this comparison.
func (s *stores) redis(ctx context.Context) (*redis, error) {
	if s.server == nil && s.noServer == nil {
		s.server, s.noServer = startRedis(ctx)
	}
	return s.server, s.noServer
}

// say tells of progress.
func (s *stores) say(format string, args ...any) {
	fmt.Fprintf(s.log, format+"\n", args...)
}

func (s *stores) close() (err error) {
	if s.server != nil {
		err = s.server.close()
	}
	return errors.Join(err, s.postgres.close())
}

// connect opens a small pool, for what is asked beside a measurement.
func connect(ctx context.Context, url string) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	config.MaxConns = 2
	return pgxpool.NewWithConfig(ctx, config)
}
