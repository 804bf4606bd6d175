// Here: what is measured, how often, and at which size.

package main

import (
	"fmt"
	"time"
)

// A measurement is a command that is run so many times. Some commands repeat by
// themselves what they measure, and run once.
type measurement struct {
	name    string // of its raw data
	command string
	times   int
	takes   time.Duration // each time, about
}

// A size is a measurement's arguments, and about how many seconds it takes with them.
type size struct {
	args    string
	seconds int
}

// How commands begin: that of the comparison with peers, and all others.
const (
	peersCommand   = "make bench-peers "
	rowlockCommand = "rowlock bench "
)

// A planned is a measurement in its sizes: a quick one, which shows that all works, a
// full one, whose figures are worth keeping, and a long one, for those who have time. No
// long one means that the full one does.
type planned struct {
	name              string
	times             int
	quick, full, long size
}

// all are the measurements, in the order of the page.
func all() []planned {
	return []planned{
		{
			"peers", 1,
			size{`ARGS="--runs 1 --jobs 50000 --steady 2s --least 2s"`, 150},
			size{`ARGS="--runs 5 --jobs 300000 --steady 5s --least 3s"`, 700},
			size{`ARGS="--runs 7 --jobs 1000000 --steady 30s --least 10s"`, 5000},
		},
		{
			"drain", 1,
			size{"drain --jobs 100000 --runs 2", 25},
			size{"drain --jobs 300000 --runs 5", 120},
			size{},
		},
		{
			"steady", 5,
			size{"steady --for 3s", 6},
			size{"steady --for 20s", 26},
			size{"steady --for 2m", 126},
		},
		{
			"insert", 1,
			size{"insert --jobs 1000 --batch 50000 --runs 2", 10},
			size{"insert --jobs 5000 --batch 300000 --runs 5", 90},
			size{},
		},
		{
			"latency", 5,
			size{"latency --rate 0 --for 2s", 4},
			size{"latency --rate 0 --for 10s", 12},
			size{},
		},
		{
			"polling", 5,
			size{"latency --rate 20 --for 3s --poll-only", 5},
			size{"latency --rate 20 --for 10s --poll-only", 13},
			size{},
		},
		{
			"stream", 5,
			size{"latency --rate 5000 --for 3s", 6},
			size{"latency --rate 5000 --for 20s", 24},
			size{},
		},
		{
			"late", 5,
			size{"latency --rate 5000 --for 10s --long-tx", 15},
			size{"latency --rate 5000 --for 20s --long-tx", 30},
			size{},
		},
		{
			"xmin", 5,
			size{"xmin --free 3s --for 5s --recover 5s", 14},
			size{"xmin --free 10s --for 30s --recover 10s", 50},
			size{"xmin --free 60s --for 10m --recover 60s", 700},
		},
		{
			"held", 5,
			size{"xmin --rate 5000 --free 3s --for 5s --recover 5s", 14},
			size{"xmin --rate 5000 --free 10s --for 30s --recover 10s", 50},
			size{"xmin --rate 5000 --free 60s --for 10m --recover 60s", 700},
		},
		{"burst", 5, size{"burst --jobs 50000", 8}, size{"burst --jobs 100000", 15}, size{}},
		{
			"backlog", 1,
			size{"backlog --scale 0.05 --jobs 20000 --runs 2", 30},
			size{"backlog --jobs 100000 --runs 5", 420},
			size{"backlog --jobs 200000 --runs 5 --full", 1800},
		},
		{
			"scale", 1,
			size{"scale --jobs 50000 --runs 2", 25},
			size{"scale --jobs 200000 --runs 5", 140},
			size{},
		},
		{"pool", 1, size{"pool --for 1s --runs 2", 12}, size{"pool --for 3s --runs 5", 80}, size{}},
		{"tx", 1, size{"tx --jobs 5000 --runs 2", 8}, size{"tx --jobs 20000 --runs 5", 70}, size{}},
		{
			"idle", 5,
			size{"idle --for 3s", 6},
			size{"idle --for 20s", 23},
			size{"idle --for 5m", 303},
		},
	}
}

// plan returns all measurements in a size.
func plan(of string) (plan []measurement, err error) {
	const quickly = 2 // times, at most
	for _, p := range all() {
		m := measurement{name: p.name, command: rowlockCommand, times: p.times}
		if p.name == "peers" {
			m.command = peersCommand
		}
		var s size
		switch {
		case of == "quick":
			s, m.times = p.quick, min(p.times, quickly)
		case of == "full", of == "long" && p.long == size{}:
			s = p.full
		case of == "long":
			s = p.long
		default:
			return nil, fmt.Errorf("--size %s: there are quick, full and long", of)
		}
		m.command += s.args
		m.takes = time.Duration(s.seconds) * time.Second
		plan = append(plan, m)
	}
	return plan, nil
}

func names(plan []measurement) (names []string) {
	for _, m := range plan {
		names = append(names, m.name)
	}
	return names
}
