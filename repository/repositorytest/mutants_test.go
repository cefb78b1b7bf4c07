package repositorytest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository"
	"github.com/eventaudit/eventaudit/repository/memrepo"
	"github.com/eventaudit/eventaudit/repository/repositorytest"
)

// mutants are the broken repositories, one per way to be wrong.
func mutants() []mutant {
	return slices.Concat(
		writeMutants(), contentMutants(), idempotencyMutants(), filterMutants(), listMutants(),
		contextMutants(), concurrencyMutants(), powerMutants(), removeMutants(), featureMutants(), overviewMutants(),
	)
}

func writeMutants() []mutant {
	return []mutant{
		{name: "drops payload", caughtBy: "write/every_field", spoil: storing(func(e *event.Event) { e.Payload = nil })},
		{name: "drops before unknown", caughtBy: "write/every_field", spoil: storing(func(e *event.Event) { e.BeforeUnknown = false })},
		{name: "drops sequence", caughtBy: "write/every_field", spoil: storing(func(e *event.Event) { e.Sequence = 0 })},
		{name: "reuses the struct", caughtBy: "write/few_fields", spoil: reusesStruct()},
		{name: "completes nothing", caughtBy: "write/completed", spoil: yielding(func(e *event.Event) { e.SchemaVersion = 0 })},
		{name: "drops empty facts", caughtBy: "write/meta", spoil: storing(func(e *event.Event) {
			e.Meta = maps.Clone(e.Meta)
			maps.DeleteFunc(e.Meta, func(_, value string) bool { return value == "" })
		})},
		{name: "refuses nothing", caughtBy: "write/nothing", spoil: with(func(mem *memrepo.Repository, b *broken) {
			b.write = func(ctx context.Context, all ...event.Event) error {
				if len(all) == 0 {
					return errors.New("empty statement")
				}
				return mem.Write(ctx, all...)
			}
		})},
		{name: "has too many parameters", caughtBy: "write/many", spoil: with(func(mem *memrepo.Repository, b *broken) {
			b.write = func(ctx context.Context, all ...event.Event) error {
				return mem.Write(ctx, all[:min(len(all), 2500)]...)
			}
		})},
		{name: "takes every event for new", caughtBy: "write/from_elsewhere", spoil: yielding(func(e *event.Event) { e.SchemaVersion = max(e.SchemaVersion, event.SchemaVersion) })},
		{name: "keeps the last call", caughtBy: "write/several_calls", spoil: with(func(mem *memrepo.Repository, b *broken) {
			b.write = func(ctx context.Context, all ...event.Event) error {
				return errors.Join(mem.RemoveAll(ctx), mem.Write(ctx, all...))
			}
		})},
		{name: "completes in place", caughtBy: "write/arguments", spoil: with(func(mem *memrepo.Repository, b *broken) {
			b.write = func(ctx context.Context, all ...event.Event) error {
				for i := range all {
					all[i].Complete(time.Now())
				}
				return mem.Write(ctx, all...)
			}
		})},
		{name: "numbers by timestamp", caughtBy: "write/sequence", spoil: storing(func(e *event.Event) { e.Sequence = e.Timestamp.UnixMicro() })},
		{name: "swallows invalid events", caughtBy: "invalid/refused", spoil: with(func(mem *memrepo.Repository, b *broken) {
			b.write = func(ctx context.Context, all ...event.Event) error {
				_, err := writeValid(ctx, mem, all)
				return err
			}
		})},
		{name: "stores the valid part of a call", caughtBy: "invalid/large_batch", spoil: with(func(mem *memrepo.Repository, b *broken) {
			b.write = func(ctx context.Context, all ...event.Event) error {
				invalid, err := writeValid(ctx, mem, all)
				return errors.Join(invalid, err)
			}
		})},
	}
}

// reusesStruct lets what an event left empty keep the value of the one before.
func reusesStruct() spoiler {
	return with(func(mem *memrepo.Repository, b *broken) {
		b.find = func(ctx context.Context, f event.Filter) events {
			return func(yield func(event.Event, error) bool) {
				actor := ""
				for e, err := range mem.Find(ctx, f) {
					if e.Actor == "" {
						e.Actor = actor
					}
					actor = e.Actor
					if !yield(e, err) {
						return
					}
				}
			}
		}
	})
}

// writeValid stores the valid events and returns what is wrong with the
// others.
func writeValid(ctx context.Context, mem *memrepo.Repository, all []event.Event) (invalid, err error) {
	for _, e := range all {
		if problem := event.Validate(e); problem != nil {
			invalid = errors.Join(invalid, problem)
			continue
		}
		err = errors.Join(err, mem.Write(ctx, e))
	}
	return invalid, err
}

func contentMutants() []mutant {
	return []mutant{
		{name: "takes null for nothing", caughtBy: "documents/any_json", spoil: storing(func(e *event.Event) {
			if string(e.Result) == "null" {
				e.Result = nil
			}
		})},
		{name: "removes NUL from documents", caughtBy: "documents/any_json", spoil: storing(func(e *event.Event) {
			e.Payload = bytes.ReplaceAll(e.Payload, []byte(`\u0000`), nil)
		})},
		{name: "passes numbers through floats", caughtBy: "documents/digits", spoil: storing(func(e *event.Event) {
			var value any
			if len(e.Payload) > 0 && json.Unmarshal(e.Payload, &value) == nil {
				e.Payload = event.JSON(value)
			}
		})},
		{name: "replaces large documents", caughtBy: "documents/large", spoil: storing(func(e *event.Event) {
			if len(e.Result) > 1<<16 {
				e.Result = json.RawMessage(`"too large"`)
			}
		})},
		{name: "keeps times from 1970 on", caughtBy: "timestamps/range", spoil: storing(func(e *event.Event) {
			if e.Timestamp.Before(time.Unix(0, 0)) {
				e.Timestamp = time.Unix(0, 0)
			}
		})},
		{name: "keeps nanoseconds in 64 bits", caughtBy: "timestamps/range", spoil: storing(func(e *event.Event) {
			e.Timestamp = time.Unix(0, e.Timestamp.UnixNano())
		})},
		{name: "yields local times", caughtBy: "timestamps/zones", spoil: yielding(func(e *event.Event) {
			e.Timestamp = e.Timestamp.In(time.FixedZone("local", 3600))
		})},
		{name: "forgets the zone", caughtBy: "timestamps/zones", spoil: with(func(mem *memrepo.Repository, b *broken) {
			b.write = func(ctx context.Context, all ...event.Event) error {
				all = slices.Clone(all)
				for i, e := range all {
					at := e.Timestamp
					all[i].Timestamp = time.Date(at.Year(), at.Month(), at.Day(), at.Hour(), at.Minute(), at.Second(), at.Nanosecond(), time.UTC)
				}
				return mem.Write(ctx, all...)
			}
		})},
		{name: "rounds times", caughtBy: "timestamps/precision", spoil: with(func(mem *memrepo.Repository, b *broken) {
			b.write = func(ctx context.Context, all ...event.Event) error {
				all = slices.Clone(all)
				for i := range all {
					all[i].Timestamp = all[i].Timestamp.Round(time.Microsecond)
				}
				return mem.Write(ctx, all...)
			}
		})},
		{name: "includes To", caughtBy: "timestamps/bounds", spoil: asking(func(f *event.Filter) {
			if !f.To.IsZero() {
				f.To = f.To.Add(time.Microsecond)
			}
		})},
		{name: "cuts bounds", caughtBy: "timestamps/bounds", spoil: asking(func(f *event.Filter) {
			f.From, f.To = f.From.Truncate(time.Microsecond), f.To.Truncate(time.Microsecond)
		})},
		{name: "trims text", caughtBy: "values/awkward", spoil: storing(func(e *event.Event) { e.Reason = strings.TrimSpace(e.Reason) })},
		{name: "takes stars for wildcards", caughtBy: "values/awkward", spoil: matching(func(f event.Filter, e event.Event) bool {
			if prefix, star := strings.CutSuffix(f.Actor, "*"); star && strings.HasPrefix(e.Actor, prefix) {
				f.Actor = ""
			}
			return f.Match(e)
		})},
		{name: "cuts text at 255 bytes", caughtBy: "values/long", spoil: storing(func(e *event.Event) { e.Error = e.Error[:min(len(e.Error), 255)] })},
		{name: "matches the first kilobytes", caughtBy: "values/long", spoil: matching(func(f event.Filter, e event.Event) bool {
			const indexed = 3072
			if len(f.UserAgent) > indexed && len(e.UserAgent) > indexed && f.UserAgent[:indexed] == e.UserAgent[:indexed] {
				f.UserAgent = ""
			}
			return f.Match(e)
		})},
		{name: "has room for a UUID", caughtBy: "values/long_id", spoil: storing(func(e *event.Event) { e.ID = e.ID[:min(len(e.ID), 36)] })},
	}
}

func idempotencyMutants() []mutant {
	return []mutant{
		{name: "refuses a stored ID", caughtBy: "idempotency/written_again", spoil: with(refuseStored)},
		{name: "overwrites", caughtBy: "idempotency/first_stays", spoil: with(func(mem *memrepo.Repository, b *broken) {
			b.write = func(ctx context.Context, all ...event.Event) error {
				ready, err := repository.Prepare(all)
				if err != nil {
					return err
				}
				for _, e := range ready {
					if err := mem.Remove(ctx, e.ID); err != nil && !errors.Is(err, repository.ErrNotFound) {
						return err
					}
				}
				return mem.Write(ctx, ready...)
			}
		})},
		{name: "keeps the last of a call", caughtBy: "idempotency/twice_in_one_call", spoil: with(func(mem *memrepo.Repository, b *broken) {
			b.write = func(ctx context.Context, all ...event.Event) error {
				all = slices.Clone(all)
				slices.Reverse(all)
				return mem.Write(ctx, all[min(1, len(all)-1):]...)
			}
		})},
		{name: "passes over a batch with a stored ID", caughtBy: "idempotency/batch_again", spoil: with(func(mem *memrepo.Repository, b *broken) {
			b.write = func(ctx context.Context, all ...event.Event) error {
				for _, e := range all {
					if _, err := mem.Get(ctx, e.ID); err == nil {
						return nil
					}
				}
				return mem.Write(ctx, all...)
			}
		})},
		{name: "takes IDs without case", caughtBy: "idempotency/similar_ids", spoil: with(func(mem *memrepo.Repository, b *broken) {
			b.write = func(ctx context.Context, all ...event.Event) error {
				seen := map[string]bool{}
				all = slices.DeleteFunc(slices.Clone(all), func(e event.Event) bool {
					key := strings.ToLower(e.ID)
					defer func() { seen[key] = true }()
					return seen[key]
				})
				return mem.Write(ctx, all...)
			}
		})},
	}
}

// refuseStored answers like an INSERT without ON CONFLICT.
func refuseStored(mem *memrepo.Repository, b *broken) {
	b.write = func(ctx context.Context, all ...event.Event) error {
		for _, e := range all {
			if _, err := mem.Get(ctx, e.ID); err == nil {
				return errors.New("duplicate key")
			}
		}
		return mem.Write(ctx, all...)
	}
}

func filterMutants() []mutant {
	return []mutant{
		{name: "ignores case", caughtBy: "filter/each_field", spoil: matching(func(f event.Filter, e event.Event) bool {
			f.Actor, e.Actor = strings.ToLower(f.Actor), strings.ToLower(e.Actor)
			return f.Match(e)
		})},
		{name: "pads with spaces", caughtBy: "filter/each_field", spoil: matching(func(f event.Filter, e event.Event) bool {
			f.TraceID, e.TraceID = strings.TrimRight(f.TraceID, " "), strings.TrimRight(e.TraceID, " ")
			return f.Match(e)
		})},
		{name: "matches prefixes", caughtBy: "filter/each_field", spoil: matching(func(f event.Filter, e event.Event) bool {
			if strings.HasPrefix(e.TargetID, f.TargetID) {
				f.TargetID = ""
			}
			return f.Match(e)
		})},
		{name: "asks the wrong field", caughtBy: "filter/each_field", spoil: asking(func(f *event.Filter) { f.TargetType, f.TargetID = f.TargetID, f.TargetType })},
		{name: "forgets a field", caughtBy: "filter/all_fields", spoil: asking(func(f *event.Filter) { f.UserAgent = "" })},
		{name: "matches any field", caughtBy: "filter/all_fields", spoil: matching(func(f event.Filter, e event.Event) bool {
			return f.Match(e) || f.Actor != "" && f.Actor == e.Actor
		})},
		{name: "ignores the outcome", caughtBy: "filter/outcome", spoil: asking(func(f *event.Filter) { f.Outcome = "" })},
		{name: "has an error for no rows", caughtBy: "filter/no_match", spoil: with(func(mem *memrepo.Repository, b *broken) {
			b.find = func(ctx context.Context, f event.Filter) events {
				if n, err := mem.Count(ctx, f); err == nil && n == 0 {
					return repository.Failed(repository.ErrNotFound)
				}
				return mem.Find(ctx, f)
			}
		})},
		{name: "takes a broken filter for an empty one", caughtBy: "filter/broken", spoil: with(func(mem *memrepo.Repository, b *broken) {
			b.find = func(ctx context.Context, f event.Filter) events {
				if f.Validate() != nil {
					return mem.Find(ctx, event.Filter{})
				}
				return mem.Find(ctx, f)
			}
		})},
		{name: "pages before it filters", caughtBy: "random/filters", spoil: with(func(mem *memrepo.Repository, b *broken) {
			b.find = func(ctx context.Context, f event.Filter) events {
				return func(yield func(event.Event, error) bool) {
					for e, err := range mem.Find(ctx, event.Filter{Limit: f.Limit, Offset: f.Offset, Order: f.Order}) {
						if (err != nil || f.Match(e)) && !yield(e, err) {
							return
						}
					}
				}
			}
		})},
	}
}

func listMutants() []mutant {
	return []mutant{
		{name: "lists by ID", caughtBy: "order/time", spoil: ordering(func(a, b event.Event) int { return strings.Compare(a.ID, b.ID) })},
		{name: "knows one order", caughtBy: "order/time", spoil: asking(func(f *event.Filter) { f.Order = event.OldestFirst })},
		{name: "orders ties by language", caughtBy: "order/ties", spoil: ordering(func(a, b event.Event) int {
			if c := a.Timestamp.Compare(b.Timestamp); c != 0 {
				return c
			}
			return strings.Compare(strings.ToLower(a.ID), strings.ToLower(b.ID))
		})},
		{name: "turns ties only by time", caughtBy: "order/ties", spoil: turnsTimeOnly()},
		{name: "has a default limit", caughtBy: "order/limit", spoil: asking(func(f *event.Filter) {
			if f.Limit == 0 {
				f.Limit = 9
			}
		})},
		{name: "ignores the offset", caughtBy: "order/offset", spoil: asking(func(f *event.Filter) { f.Offset = 0 })},
		{name: "ignores ties at the cursor", caughtBy: "cursor/ties", spoil: matching(func(f event.Filter, e event.Event) bool {
			if f.After != "" {
				if at, _, err := f.After.Position(); err != nil || e.Timestamp.Equal(at) {
					return false
				}
			}
			return f.Match(e)
		})},
		{name: "forgets the fields behind a cursor", caughtBy: "cursor/with_fields", spoil: asking(func(f *event.Filter) {
			if f.After != "" {
				f.Actor = ""
			}
		})},
		{name: "looks the cursor's event up", caughtBy: "cursor/anywhere", spoil: with(func(mem *memrepo.Repository, b *broken) {
			b.find = func(ctx context.Context, f event.Filter) events {
				if _, id, err := f.After.Position(); err == nil {
					if _, err := mem.Get(ctx, id); err != nil {
						return sequenceOf(nil)
					}
				}
				return mem.Find(ctx, f)
			}
		})},
		{name: "pages by number", caughtBy: "cursor/while_writing", spoil: with(pageByNumber)},
		{name: "fails when empty", caughtBy: "find/empty", spoil: with(func(mem *memrepo.Repository, b *broken) {
			b.find = func(ctx context.Context, f event.Filter) events {
				if n, err := mem.Count(ctx, event.Filter{}); err == nil && n == 0 {
					return repository.Failed(errors.New("no such table"))
				}
				return mem.Find(ctx, f)
			}
		})},
		{name: "ranges once", caughtBy: "find/again", spoil: with(func(mem *memrepo.Repository, b *broken) {
			b.find = func(ctx context.Context, f event.Filter) events {
				spent := false
				return func(yield func(event.Event, error) bool) {
					if !spent {
						spent = true
						mem.Find(ctx, f)(yield)
					}
				}
			}
		})},
		{name: "leaks connections", caughtBy: "find/broken_off", spoil: with(func(mem *memrepo.Repository, b *broken) {
			free := 20
			b.find = func(ctx context.Context, f event.Filter) events {
				if free == 0 {
					return repository.Failed(errors.New("no free connection"))
				}
				free--
				return func(yield func(event.Event, error) bool) {
					for e, err := range mem.Find(ctx, f) {
						if !yield(e, err) {
							return
						}
					}
					free++
				}
			}
		})},
		{name: "reads at once", caughtBy: "find/lazy", spoil: listing(event.Filter.Match, event.Compare)},
	}
}

// turnsTimeOnly lists the newest first but keeps ties in ascending order.
func turnsTimeOnly() spoiler {
	return with(func(mem *memrepo.Repository, b *broken) {
		b.find = func(ctx context.Context, f event.Filter) events {
			newest := f.Order == event.NewestFirst
			f.Order = event.OldestFirst
			return func(yield func(event.Event, error) bool) {
				var list []event.Event
				for e, err := range mem.Find(ctx, f) {
					if err != nil {
						yield(e, err)
						return
					}
					list = append(list, e)
				}
				if newest {
					slices.SortStableFunc(list, func(a, b event.Event) int { return b.Timestamp.Compare(a.Timestamp) })
				}
				sequenceOf(list)(yield)
			}
		}
	})
}

// pageByNumber takes a cursor for the number of events that were before it
// when it was handed out.
func pageByNumber(mem *memrepo.Repository, b *broken) {
	places := map[event.Cursor]int{}
	b.find = func(ctx context.Context, f event.Filter) events {
		place := places[f.After]
		f.Offset, f.After = place, ""
		return func(yield func(event.Event, error) bool) {
			for e, err := range mem.Find(ctx, f) {
				place++
				places[e.Cursor()] = place
				if !yield(e, err) {
					return
				}
			}
		}
	}
}

func contextMutants() []mutant {
	return []mutant{
		{name: "ignores the context", caughtBy: "context/cancelled_before", spoil: with(func(mem *memrepo.Repository, b *broken) {
			b.write = func(ctx context.Context, all ...event.Event) error {
				return mem.Write(context.WithoutCancel(ctx), all...)
			}
		})},
		{name: "ends quietly when cancelled", caughtBy: "context/cancelled_during", spoil: with(func(mem *memrepo.Repository, b *broken) {
			b.find = func(ctx context.Context, f event.Filter) events {
				return func(yield func(event.Event, error) bool) {
					for e, err := range mem.Find(ctx, f) {
						if errors.Is(err, context.Canceled) || !yield(e, err) {
							return
						}
					}
				}
			}
		})},
	}
}

func concurrencyMutants() []mutant {
	return []mutant{
		{name: "drops an event on concurrent write", caughtBy: "concurrency/writers", spoil: with(dropConcurrent)},
		{name: "mixes events of one ID", caughtBy: "concurrency/same_id", spoil: with(mixSame)},
		{name: "shows half an event", caughtBy: "concurrency/readers", spoil: with(showHalf)},
	}
}

// dropConcurrent drops a write that comes while another is under way, and sees
// to it that this happens.
func dropConcurrent(mem *memrepo.Repository, b *broken) {
	var busy sync.Mutex
	var once sync.Once
	dropped := make(chan struct{})
	b.write = func(ctx context.Context, all ...event.Event) error {
		if !busy.TryLock() {
			once.Do(func() { close(dropped) })
			return nil
		}
		defer busy.Unlock()
		<-dropped
		return mem.Write(ctx, all...)
	}
}

// mixSame updates one field of a stored event.
func mixSame(mem *memrepo.Repository, b *broken) {
	var mutex sync.Mutex
	b.write = func(ctx context.Context, all ...event.Event) error {
		mutex.Lock()
		defer mutex.Unlock()
		for _, e := range all {
			if old, err := mem.Get(ctx, e.ID); err == nil {
				if err := mem.Remove(ctx, e.ID); err != nil {
					return err
				}
				old.Reason = e.Reason
				e = old
			}
			if err := mem.Write(ctx, e); err != nil {
				return err
			}
		}
		return nil
	}
}

// showHalf stores the first event in two steps, with a reader in between.
func showHalf(mem *memrepo.Repository, b *broken) {
	var first, seen sync.Once
	half, read := make(chan struct{}), make(chan struct{})
	b.write = func(ctx context.Context, all ...event.Event) (err error) {
		first.Do(func() {
			part := all[0]
			part.Reason = ""
			err = mem.Write(ctx, part)
			close(half)
			<-read
			err = errors.Join(err, mem.Remove(ctx, part.ID))
		})
		return errors.Join(err, mem.Write(ctx, all...))
	}
	b.find = func(ctx context.Context, f event.Filter) events {
		<-half
		var list []event.Event
		for e, err := range mem.Find(ctx, f) {
			if err != nil {
				return repository.Failed(err)
			}
			list = append(list, e)
		}
		seen.Do(func() { close(read) })
		return sequenceOf(list)
	}
}

func powerMutants() []mutant {
	return []mutant{
		{name: "gets a zero event", caughtBy: "powers/get", spoil: with(func(mem *memrepo.Repository, b *broken) {
			b.get = func(ctx context.Context, id string) (event.Event, error) {
				e, err := mem.Get(ctx, id)
				if errors.Is(err, repository.ErrNotFound) {
					err = nil
				}
				return e, err
			}
		})},
		{name: "counts everything", caughtBy: "powers/count", spoil: with(func(mem *memrepo.Repository, b *broken) {
			b.count = func(ctx context.Context, f event.Filter) (int64, error) {
				f.After = ""
				return mem.Count(ctx, f)
			}
		})},
		{name: "is never reachable", caughtBy: "powers/ping", spoil: with(func(_ *memrepo.Repository, b *broken) {
			b.ping = func(context.Context) error { return errors.New("connection refused") }
		})},
	}
}

func removeMutants() []mutant {
	return []mutant{
		{name: "counts removals wrong", caughtBy: "remove/matching", spoil: with(func(mem *memrepo.Repository, b *broken) {
			b.removeMatching = func(ctx context.Context, f event.Filter) (int64, error) {
				n, err := mem.RemoveMatching(ctx, f)
				return min(n, 1), err
			}
		})},
		{name: "removes by category only", caughtBy: "remove/matching", spoil: with(func(mem *memrepo.Repository, b *broken) {
			b.removeMatching = func(ctx context.Context, f event.Filter) (int64, error) {
				return mem.RemoveMatching(ctx, event.Filter{Category: "custom", From: f.From, To: f.To})
			}
		})},
		{name: "removes without case", caughtBy: "remove/awkward", spoil: with(func(mem *memrepo.Repository, b *broken) {
			b.removeMatching = func(ctx context.Context, f event.Filter) (int64, error) {
				return removeIf(ctx, mem, func(e event.Event) bool { return strings.EqualFold(f.Actor, e.Actor) })
			}
		})},
		{name: "removes on an empty filter", caughtBy: "remove/unbounded", spoil: with(removeUnchecked)},
		{name: "removes on a broken filter", caughtBy: "remove/broken", spoil: with(removeUnchecked)},
		{name: "removes what is not there", caughtBy: "remove/by_id", spoil: with(func(mem *memrepo.Repository, b *broken) {
			b.remove = func(ctx context.Context, id string) error {
				if err := mem.Remove(ctx, id); !errors.Is(err, repository.ErrNotFound) {
					return err
				}
				return nil
			}
		})},
		{name: "remembers removed IDs", caughtBy: "remove/again", spoil: with(func(mem *memrepo.Repository, b *broken) {
			seen := map[string]bool{}
			b.write = func(ctx context.Context, all ...event.Event) error {
				for _, e := range all {
					if seen[e.ID] {
						return nil
					}
					seen[e.ID] = true
				}
				return mem.Write(ctx, all...)
			}
		})},
		{name: "leaves one", caughtBy: "remove/all", spoil: with(func(mem *memrepo.Repository, b *broken) {
			b.removeAll = func(ctx context.Context) error {
				_, err := removeIf(ctx, mem, func(e event.Event) bool { return e.ID != "event-0000" })
				return err
			}
		})},
	}
}

// removeUnchecked does not ask repository.Removable.
func removeUnchecked(mem *memrepo.Repository, b *broken) {
	b.removeMatching = func(ctx context.Context, f event.Filter) (int64, error) { return removeIf(ctx, mem, f.Match) }
}

func removeIf(ctx context.Context, mem *memrepo.Repository, goes func(event.Event) bool) (n int64, err error) {
	for e, err := range mem.Find(ctx, event.Filter{}) {
		if err != nil {
			return n, err
		}
		if goes(e) {
			if err := mem.Remove(ctx, e.ID); err != nil {
				return n, err
			}
			n++
		}
	}
	return n, nil
}

// featureMutants can do what their Features deny.
func featureMutants() []mutant {
	whole := func(mem *memrepo.Repository) repository.Repository { return mem }
	return []mutant{
		{name: "removes after all", caughtBy: "remove/matching", spoil: whole, features: repositorytest.Features{NoRemove: true}},
		{name: "removes all after all", caughtBy: "remove/all", spoil: whole, features: repositorytest.Features{NoRemoveAll: true}},
		{name: "has an offset after all", caughtBy: "order/offset", spoil: whole, features: repositorytest.Features{NoOffset: true}},
		{name: "yields the later content by ID", caughtBy: "idempotency/first_stays", features: repositorytest.Features{LaterContents: true}, spoil: keepingBoth(true, 1)},
		{name: "lists the later content twice", caughtBy: "idempotency/first_stays", features: repositorytest.Features{LaterContents: true}, spoil: keepingBoth(false, 2)},
		{name: "shows things late", caughtBy: "write/every_field", spoil: func(mem *memrepo.Repository) repository.Repository { return &delayed{Repository: mem} }},
	}
}
