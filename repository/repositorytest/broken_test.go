package repositorytest_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository"
	"github.com/eventaudit/eventaudit/repository/memrepo"
	"github.com/eventaudit/eventaudit/repository/repositorytest"
)

type events = iter.Seq2[event.Event, error]

// mutant is a repository that breaks one rule.
type mutant struct {
	name string
	// caughtBy is the case that has to fail, as "theme/case".
	caughtBy string
	features repositorytest.Features
	spoil    spoiler
}

// spoiler wraps a correct repository into a broken one.
type spoiler func(*memrepo.Repository) repository.Repository

// broken is a memory repository in which some methods are replaced.
type broken struct {
	*memrepo.Repository
	write          func(context.Context, ...event.Event) error
	find           func(context.Context, event.Filter) events
	get            func(context.Context, string) (event.Event, error)
	count          func(context.Context, event.Filter) (int64, error)
	remove         func(context.Context, string) error
	removeMatching func(context.Context, event.Filter) (int64, error)
	removeAll      func(context.Context) error
	ping           func(context.Context) error
}

func (b *broken) Write(ctx context.Context, all ...event.Event) error {
	if b.write != nil {
		return b.write(ctx, all...)
	}
	return b.Repository.Write(ctx, all...)
}

func (b *broken) Find(ctx context.Context, f event.Filter) events {
	if b.find != nil {
		return b.find(ctx, f)
	}
	return b.Repository.Find(ctx, f)
}

func (b *broken) Get(ctx context.Context, id string) (event.Event, error) {
	if b.get != nil {
		return b.get(ctx, id)
	}
	return b.Repository.Get(ctx, id)
}

func (b *broken) Count(ctx context.Context, f event.Filter) (int64, error) {
	if b.count != nil {
		return b.count(ctx, f)
	}
	return b.Repository.Count(ctx, f)
}

func (b *broken) Remove(ctx context.Context, id string) error {
	if b.remove != nil {
		return b.remove(ctx, id)
	}
	return b.Repository.Remove(ctx, id)
}

func (b *broken) RemoveMatching(ctx context.Context, f event.Filter) (int64, error) {
	if b.removeMatching != nil {
		return b.removeMatching(ctx, f)
	}
	return b.Repository.RemoveMatching(ctx, f)
}

func (b *broken) RemoveAll(ctx context.Context) error {
	if b.removeAll != nil {
		return b.removeAll(ctx)
	}
	return b.Repository.RemoveAll(ctx)
}

func (b *broken) Ping(ctx context.Context) error {
	if b.ping != nil {
		return b.ping(ctx)
	}
	return b.Repository.Ping(ctx)
}

// with replaces methods of a memory repository.
func with(replace func(mem *memrepo.Repository, b *broken)) spoiler {
	return func(mem *memrepo.Repository) repository.Repository {
		b := &broken{Repository: mem}
		replace(mem, b)
		return b
	}
}

// storing changes events on their way in.
func storing(change func(*event.Event)) spoiler {
	return with(func(mem *memrepo.Repository, b *broken) {
		b.write = func(ctx context.Context, all ...event.Event) error {
			ready, err := repository.Prepare(all)
			if err != nil {
				return err
			}
			for i := range ready {
				change(&ready[i])
			}
			return mem.Write(ctx, ready...)
		}
	})
}

// yielding changes events on their way out.
func yielding(change func(*event.Event)) spoiler {
	return with(func(mem *memrepo.Repository, b *broken) {
		b.find = func(ctx context.Context, f event.Filter) events {
			return func(yield func(event.Event, error) bool) {
				for e, err := range mem.Find(ctx, f) {
					if err == nil {
						change(&e)
					}
					if !yield(e, err) {
						return
					}
				}
			}
		}
	})
}

// asking changes filters.
func asking(change func(*event.Filter)) spoiler {
	return with(func(mem *memrepo.Repository, b *broken) {
		b.find = func(ctx context.Context, f event.Filter) events {
			if err := f.Validate(); err != nil {
				return repository.Failed(err)
			}
			change(&f)
			return mem.Find(ctx, f)
		}
	})
}

// matching replaces Filter.Match.
func matching(match func(event.Filter, event.Event) bool) spoiler {
	return listing(match, event.Compare)
}

// ordering replaces event.Compare.
func ordering(compare func(a, b event.Event) int) spoiler {
	return listing(event.Filter.Match, compare)
}

func listing(match func(event.Filter, event.Event) bool, compare func(a, b event.Event) int) spoiler {
	return with(func(mem *memrepo.Repository, b *broken) {
		b.find = func(ctx context.Context, f event.Filter) events {
			var list []event.Event
			for e, err := range mem.Find(ctx, event.Filter{}) {
				if err != nil {
					return repository.Failed(err)
				}
				if match(f, e) {
					list = append(list, e)
				}
			}
			slices.SortStableFunc(list, compare)
			if f.Order == event.NewestFirst {
				slices.Reverse(list)
			}
			list = list[min(f.Offset, len(list)):]
			if f.Limit > 0 {
				list = list[:min(f.Limit, len(list))]
			}
			return sequenceOf(list)
		}
	})
}

func sequenceOf(list []event.Event) events {
	return func(yield func(event.Event, error) bool) {
		for _, e := range list {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// keepingBoth keeps the last content of an ID beside the first, lists it so
// many times, and may take it for the first one when an ID is asked for.
func keepingBoth(laterByID bool, times int) spoiler {
	return func(mem *memrepo.Repository) repository.Repository {
		last := memrepo.New(nil)
		find := func(ctx context.Context, f event.Filter) events {
			switch {
			case f.Validate() != nil || f.ID != "" && !laterByID:
				return mem.Find(ctx, f)
			case f.ID != "":
				return last.Find(ctx, f)
			}
			return func(yield func(event.Event, error) bool) {
				var list []event.Event
				for e, err := range mem.Find(ctx, event.Filter{}) {
					if err != nil {
						yield(e, err)
						return
					}
					list = append(list, e)
					if other, err := last.Get(ctx, e.ID); err == nil && !other.Timestamp.Equal(e.Timestamp) {
						list = append(list, slices.Repeat([]event.Event{other}, times)...)
					}
				}
				list = slices.DeleteFunc(list, func(e event.Event) bool { return !f.Match(e) })
				sequenceOf(repository.Page(list, f))(yield)
			}
		}
		write := func(ctx context.Context, all ...event.Event) error {
			ready, err := repository.Prepare(all)
			if err != nil {
				return err
			}
			for _, e := range ready {
				if err := last.Remove(ctx, e.ID); err != nil && !errors.Is(err, repository.ErrNotFound) {
					return err
				}
			}
			return errors.Join(mem.Write(ctx, ready...), last.Write(ctx, ready...))
		}
		return struct{ repository.Repository }{&broken{Repository: mem, write: write, find: find}}
	}
}

// twoMethods is a repository without optional powers.
type twoMethods struct{ repository.Repository }

// oneByOne removes by ID only.
type oneByOne struct {
	repository.Repository
	repository.Remover
	repository.AllRemover
}

// delayed shows the state of before until it was looked at twice.
type delayed struct {
	*memrepo.Repository
	mutex sync.Mutex
	looks int
	stale []event.Event
}

// change keeps what showed before the change.
func (d *delayed) change(ctx context.Context, change func() error) error {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.stale = nil
	for e, err := range d.Repository.Find(ctx, event.Filter{}) {
		if err != nil {
			return err
		}
		d.stale = append(d.stale, e)
	}
	d.looks = 2
	return change()
}

func (d *delayed) Write(ctx context.Context, all ...event.Event) error {
	return d.change(ctx, func() error { return d.Repository.Write(ctx, all...) })
}

func (d *delayed) RemoveAll(ctx context.Context) error {
	return d.change(ctx, func() error { return d.Repository.RemoveAll(ctx) })
}

func (d *delayed) Remove(ctx context.Context, id string) error {
	return d.change(ctx, func() error { return d.Repository.Remove(ctx, id) })
}

func (d *delayed) RemoveMatching(ctx context.Context, f event.Filter) (n int64, err error) {
	err = d.change(ctx, func() error {
		n, err = d.Repository.RemoveMatching(ctx, f)
		return err
	})
	return n, err
}

func (d *delayed) Find(ctx context.Context, f event.Filter) events {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if d.looks > 0 && ctx.Err() == nil && f.Validate() == nil {
		d.looks--
		old := memrepo.New(nil)
		if err := old.Write(ctx, d.stale...); err != nil {
			return repository.Failed(err)
		}
		return old.Find(ctx, f)
	}
	return d.Repository.Find(ctx, f)
}
