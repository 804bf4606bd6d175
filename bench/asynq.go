// Here: asynq, a task queue for Go on Redis.

package main

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/hibiken/asynq"
)

// An asynqPeer inserts one by one over several connections, since asynq has no bulk
// insert.
type asynqPeer struct {
	redis  *redis
	client *asynq.Client
	at     asynq.RedisClientOpt
}

func (p *asynqPeer) open(ctx context.Context, s *stores) (a About, err error) {
	if p.redis, err = s.redis(ctx); err != nil {
		return a, err
	}
	p.at = asynq.RedisClientOpt{Network: "unix", Addr: p.redis.socket}
	p.client = asynq.NewClient(p.at)
	return About{
		Name: "asynq", Version: versionOf("github.com/hibiken/asynq"), Store: "Redis",
		Settings: "Concurrency %s",
		Source:   "https://github.com/hibiken/asynq/wiki",
		Insert:   "Enqueue from 20 goroutines: it has no bulk insert",
		History:  "none by default (Retention 0)",
		Variants: []int{10, 50, 200},
	}, nil
}

func (p *asynqPeer) empty(ctx context.Context) error {
	return p.redis.client.FlushAll(ctx).Err()
}

func (p *asynqPeer) insert(ctx context.Context, jobs int) error {
	const producers = 20
	var (
		all  sync.WaitGroup
		next atomic.Int64
		errs [producers]error
	)
	for i := range producers {
		all.Go(func() {
			for next.Add(1) <= int64(jobs) && errs[i] == nil {
				task := asynq.NewTask("bench", []byte(`{"n":1}`))
				_, errs[i] = p.client.EnqueueContext(ctx, task)
			}
		})
	}
	all.Wait()
	return errors.Join(errs[:]...)
}

const asynqDone = "asynq:{default}:processed"

func (p *asynqPeer) unfinished(ctx context.Context, inserted int) (int, error) {
	done, err := p.redis.client.Get(ctx, asynqDone).Int()
	return inserted - done, err
}

func (p *asynqPeer) close() error { return p.client.Close() }

func (p *asynqPeer) hire(_ context.Context, concurrency int) (crew, error) {
	return &asynqCrew{server: asynq.NewServer(p.at, asynq.Config{
		Concurrency: concurrency, LogLevel: asynq.FatalLevel,
	})}, nil
}

// An asynqCrew is a server.
type asynqCrew struct {
	server  *asynq.Server
	count   atomic.Int64
	started bool
}

func (c *asynqCrew) start(context.Context) error {
	c.started = true
	return c.server.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error {
		c.count.Add(1)
		return nil
	}))
}

func (c *asynqCrew) ran() int     { return int(c.count.Load()) }
func (c *asynqCrew) check() error { return nil }

func (c *asynqCrew) stop() error {
	if c.started {
		c.server.Shutdown()
	}
	return nil
}
