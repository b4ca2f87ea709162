package main

import (
	"context"
	"iter"
	"sync"
	"sync/atomic"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// sender sends n notifications, by all workers together.
type sender func(n int) error

// crew is workers that outlive a client's turn: if they were new, a short turn would
// mostly measure how their stacks grow.
type crew struct {
	size  int
	turns chan *turn
}

type turn struct {
	ctx     context.Context
	cancel  context.CancelCauseFunc
	send    func(context.Context) error
	left    atomic.Int64
	running sync.WaitGroup
}

// newCrew starts the workers; closing their turns ends them.
func newCrew(size int) *crew {
	c := &crew{size: size, turns: make(chan *turn)}
	for range size {
		go func() {
			for t := range c.turns {
				t.work()
			}
		}()
	}
	return c
}

func (t *turn) work() {
	defer t.running.Done()
	for t.left.Add(-1) >= 0 {
		if err := t.send(t.ctx); err != nil {
			t.cancel(err)
			return
		}
	}
}

func (c *crew) sender(ctx context.Context, send func(context.Context) error) sender {
	return func(n int) error {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		t := &turn{ctx: ctx, cancel: cancel, send: send}
		t.left.Store(int64(n))
		t.running.Add(c.size)
		for range c.size {
			c.turns <- t
		}
		t.running.Wait()
		return context.Cause(ctx)
	}
}

// sendAllSender is one SendAll that lasts until ctx ends, and sends n notifications in
// each turn.
func sendAllSender(ctx context.Context, c *whop.Client, workers int) sender {
	turns, done := make(chan int), make(chan error, 1)
	left := 0
	go func() {
		for r := range c.SendAll(ctx, fromTurns(ctx, turns), workers) {
			if left--; left == 0 || r.Err != nil {
				done <- r.Err
			}
			if r.Err != nil {
				return
			}
		}
	}()
	return func(n int) error {
		left = n
		select {
		case turns <- n:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		select {
		case err := <-done:
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func fromTurns(ctx context.Context, turns <-chan int) iter.Seq[whop.Notification] {
	return func(yield func(whop.Notification) bool) {
		for {
			select {
			case n := <-turns:
				for each := range notifications(n) {
					if !yield(each) {
						return
					}
				}
			case <-ctx.Done():
				return
			}
		}
	}
}
