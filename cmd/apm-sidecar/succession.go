package main

import (
	"context"
	"errors"
	"reflect"
	"sync/atomic"
)

// part is one of a succession.
type part interface {
	// Run works until ctx ends.
	Run(ctx context.Context) error
	// Close frees what it has, after Run or without.
	Close() error
}

// succession is a part that gives way to another one, made of other settings, while the
// program runs. Two of them are never open at a time.
type succession[S any, P part] struct {
	open func(S) (P, error)
	// asked takes requests to work by other settings.
	asked chan request[S]
	// now points to the part of the moment, which has ended for the moment in which another
	// one takes over.
	now atomic.Pointer[P]
	// settings are those of that part. Run's alone.
	settings S
}

type request[S any] struct {
	settings S
	answer   chan error
}

// newSuccession opens the first part.
func newSuccession[S any, P part](settings S, open func(S) (P, error)) (*succession[S, P], error) {
	s := &succession[S, P]{open: open, asked: make(chan request[S])}
	return s, s.begin(settings)
}

// begin opens a part; the one before was closed.
func (s *succession[S, P]) begin(settings S) error {
	next, err := s.open(settings)
	if err != nil {
		return err
	}
	s.settings = settings
	s.now.Store(&next)
	return nil
}

// Run runs one part after another until ctx ends or one fails.
func (s *succession[S, P]) Run(ctx context.Context) error {
	for {
		own, stop := context.WithCancel(ctx)
		ended := make(chan error, 1)
		go func() { ended <- (*s.now.Load()).Run(own) }()
		select {
		case err := <-ended:
			stop()
			return err
		case r := <-s.asked:
			stop()
			if err := <-ended; err != nil {
				r.answer <- err
				return err
			}
			refused, err := s.replace(r.settings)
			r.answer <- errors.Join(refused, err)
			if err != nil {
				return err
			}
		}
	}
}

// replace opens a part by other settings in the place of one that has ended. Where they
// are refused, one by the old settings goes on; err is that not even this works.
func (s *succession[S, P]) replace(settings S) (refused, err error) {
	if err := (*s.now.Load()).Close(); err != nil {
		return nil, err
	}
	if refused = s.begin(settings); refused != nil {
		err = s.begin(s.settings)
	}
	return refused, err
}

// follow has a part by other settings take over, if they are others. Run must be at work.
func (s *succession[S, P]) follow(ctx context.Context, old, next S) error {
	if reflect.DeepEqual(old, next) {
		return nil
	}
	r := request[S]{next, make(chan error, 1)}
	select {
	case s.asked <- r:
	case <-ctx.Done():
		return ctx.Err()
	}
	return <-r.answer
}

// Close closes the part of the moment, after Run.
func (s *succession[S, P]) Close() error { return (*s.now.Load()).Close() }
