// Here: Sidekiq, a job queue for Ruby on Redis.

package main

import (
	"context"
	"os/exec"
	"path/filepath"
	"strconv"
)

// A sidekiq is the gem that the Ruby of PATH finds, whichever version that is.
type sidekiq struct {
	redis        *redis
	ruby, script string
	producer     *child
}

func (p *sidekiq) open(ctx context.Context, s *stores) (a About, err error) {
	if p.ruby, err = exec.LookPath("ruby"); err != nil {
		return a, skip("no ruby on PATH: apt-get install ruby ruby-sidekiq")
	}
	if err := exec.CommandContext(ctx, p.ruby, "-e", `require "sidekiq"`).Run(); err != nil {
		return a, skip("this Ruby has no Sidekiq: gem install sidekiq, " +
			"or apt-get install ruby-sidekiq")
	}
	if p.redis, err = s.redis(ctx); err != nil {
		return a, err
	}
	dir, err := cacheOf("sidekiq")
	if err != nil {
		return a, err
	}
	if err := copyScripts("sidekiq", dir); err != nil {
		return a, err
	}
	p.script = filepath.Join(dir, "worker.rb")
	if p.producer, err = p.child(ctx, 1); err != nil {
		return a, err
	}
	return About{
		Name: "Sidekiq", Version: p.producer.version, Store: "Redis",
		Settings: "one process, concurrency %d (the best of those in variants)",
		Source:   "https://github.com/sidekiq/sidekiq/wiki/Advanced-Options",
		Insert:   "perform_bulk, 1,000 a call",
		History:  "none",
		Variants: []int{5, 10, 25},
	}, nil
}

func (p *sidekiq) child(ctx context.Context, concurrency int) (*child, error) {
	return startChild(ctx, exec.Command(p.ruby, p.script, p.redis.socket,
		strconv.Itoa(concurrency)))
}

func (p *sidekiq) empty(ctx context.Context) error {
	return p.redis.client.FlushAll(ctx).Err()
}

func (p *sidekiq) insert(ctx context.Context, jobs int) error {
	return p.producer.tell(ctx, "insert "+strconv.Itoa(jobs), "inserted")
}

func (p *sidekiq) hire(ctx context.Context, concurrency int) (crew, error) {
	return p.child(ctx, concurrency)
}

// unfinished returns how many jobs wait. Sidekiq removes a job when it takes it, so
// Redis does not know which have finished; that the handlers have run is all there is.
func (p *sidekiq) unfinished(ctx context.Context, _ int) (int, error) {
	n, err := p.redis.client.LLen(ctx, "queue:default").Result()
	return int(n), err
}

func (p *sidekiq) close() error { return p.producer.stop() }
