// Here: Sidekiq, a job queue for Ruby on Redis.

package main

import (
	"context"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A sidekiq is the gem that the Ruby of PATH finds, whichever version that is.
type sidekiq struct {
	redis     *redis
	command   []string // Ruby with its flags, and the script
	producers producers
}

func (p *sidekiq) open(ctx context.Context, s *stores) (a About, err error) {
	ruby, err := exec.LookPath("ruby")
	if err != nil {
		return a, skip("no ruby on PATH: apt-get install ruby ruby-sidekiq ruby-hiredis")
	}
	if err := exec.CommandContext(ctx, ruby, "-e", `require "sidekiq"`).Run(); err != nil {
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
	p.command = []string{ruby}
	if exec.CommandContext(ctx, ruby, "--yjit", "-e", "").Run() == nil {
		p.command = append(p.command, "--yjit")
	}
	p.command = append(p.command, filepath.Join(dir, "worker.rb"))
	p.producers, err = startProducers(ctx, func(ctx context.Context) (*child, error) {
		return p.child(ctx, 1)
	})
	if err != nil {
		return a, err
	}
	version, with, _ := strings.Cut(p.producers.version(), " ")
	return About{
		Name: "Sidekiq", Version: version, Store: "Redis",
		Settings: with + ", one process, concurrency %s",
		Source:   "https://github.com/sidekiq/sidekiq, bin/sidekiqload",
		Insert:   "perform_bulk, 1,000 a call",
		History:  "none",
		Variants: []int{5, 10, 25},
	}, nil
}

func (p *sidekiq) child(ctx context.Context, concurrency int) (*child, error) {
	args := append(slices.Clone(p.command[1:]), p.redis.socket, strconv.Itoa(concurrency))
	return startChild(ctx, exec.Command(p.command[0], args...))
}

func (p *sidekiq) empty(ctx context.Context) error {
	return p.redis.client.FlushAll(ctx).Err()
}

func (p *sidekiq) insert(ctx context.Context, jobs int) error {
	return p.producers.insert(ctx, jobs)
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

func (p *sidekiq) close() error { return p.producers.stop() }
