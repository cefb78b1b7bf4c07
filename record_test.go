package eventaudit_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit"
	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/oracle"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

func TestRecordCustomEvents(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		_, audit := install(t, d)
		ctx := event.WithActor(context.Background(), "ann")
		at := time.Date(2020, 1, 2, 3, 4, 5, 6789, time.FixedZone("", 3600))
		err := audit.Record(ctx,
			event.Event{
				Category: "custom", Action: "my_custom_action", Timestamp: at, Outcome: event.OutcomeDenied, Error: "no",
				Payload: event.JSON(map[string]any{"key": "<value>"}), Result: event.JSON(map[string]any{"status": "success"}),
			},
			event.Event{Category: "custom", Action: "other", Actor: "somebody else"})
		if err != nil {
			t.Fatal(err)
		}
		events := trail(t, audit, event.Filter{Category: "custom"})
		if len(events) != 2 {
			t.Fatalf("%d events", len(events))
		}
		e := events[0]
		if !e.Timestamp.Equal(at.Truncate(time.Microsecond)) || e.Actor != "ann" || e.Outcome != event.OutcomeDenied ||
			string(e.Payload) != `{"key":"<value>"}` || string(e.Result) != `{"status":"success"}` {
			t.Errorf("%+v", e)
		}
		if events[1].Actor != "somebody else" || events[1].Outcome != event.OutcomeSuccess {
			t.Errorf("%+v", events[1])
		}
	})
}

func TestRecordRefusesBadEventsAsAWhole(t *testing.T) {
	t.Parallel()
	_, audit := install(t, testdb.New(t, testdb.SQLitePure))
	err := audit.Record(context.Background(),
		event.New("custom", "fine"),
		event.Event{Action: "no category"},
		event.Event{Category: "custom", Payload: event.JSON(make(chan int))})
	if !errors.Is(err, event.ErrInvalid) {
		t.Fatalf("err = %v", err)
	}
	for _, want := range []string{"event 2 of 3", "category", "event 3 of 3", "action", "payload", "unsupported type: chan int"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("err = %v, does not name %q", err, want)
		}
	}
	if n := len(trail(t, audit, event.Filter{})); n != 0 {
		t.Errorf("%d events were stored", n)
	}
}

func TestBrokenFilters(t *testing.T) {
	t.Parallel()
	_, audit := install(t, testdb.New(t, testdb.SQLitePure))
	now := time.Now()
	for field, f := range map[string]event.Filter{
		"from":  {From: now, To: now.Add(-time.Second)},
		"after": {After: "not a cursor"},
		"limit": {Limit: -1},
	} {
		_, err := audit.Events(context.Background(), f)
		var broken *event.FieldError
		if !errors.Is(err, event.ErrInvalid) || !errors.As(err, &broken) || broken.Field != field {
			t.Errorf("%s: err = %v", field, err)
		}
	}
}

func TestInATransaction(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, audit := install(t, d)
		within := func(undo error) error {
			return db.Transaction(func(tx *gorm.DB) error {
				if err := audit.In(tx).Record(tx.Statement.Context, event.New("custom", "approved")); err != nil {
					return err
				}
				return errors.Join(tx.Create(&Document{ID: "1"}).Error, undo)
			})
		}
		if err := within(errUndo); !errors.Is(err, errUndo) {
			t.Fatal(err)
		}
		if n := len(trail(t, audit, event.Filter{})); n != 0 {
			t.Errorf("%d events of a transaction that was rolled back", n)
		}
		if err := within(nil); err != nil {
			t.Fatal(err)
		}
		if n := len(trail(t, audit, event.Filter{})); n != 2 {
			t.Errorf("%d events, want the custom one and the row's", n)
		}
	})
}

// Two databases, each with its own Auditor, in one process.
func TestTwoAuditorsSideBySide(t *testing.T) {
	t.Parallel()
	const goroutines, rounds = 8, 25
	kinds := testdb.Kinds()
	for i, one := range kinds {
		other := kinds[(i+1)%len(kinds)]
		t.Run(fmt.Sprintf("%s and %s", one, other), func(t *testing.T) {
			t.Parallel()
			type side struct {
				name  string
				db    *gorm.DB
				audit *eventaudit.Auditor
			}
			var sides []side
			for n, kind := range []testdb.Kind{one, other} {
				db, audit := install(t, testdb.New(t, kind))
				sides = append(sides, side{fmt.Sprintf("side-%d", n), db, audit})
			}
			var group sync.WaitGroup
			for _, s := range sides {
				for g := range goroutines {
					group.Go(func() {
						ctx := event.WithActor(context.Background(), fmt.Sprintf("%s-%d", s.name, g))
						for n := range rounds {
							id := fmt.Sprintf("%s-%d-%d", s.name, g, n)
							if err := s.db.WithContext(ctx).Create(&Document{ID: id, Body: s.name}).Error; err != nil {
								t.Error(err)
							}
							if err := s.db.WithContext(ctx).Model(&Document{ID: id}).Update("body", "changed").Error; err != nil {
								t.Error(err)
							}
						}
					})
				}
			}
			group.Wait()
			for _, s := range sides {
				oracle.Check(t, s.db, s.audit.Repository(), modelTables...)
				byActor := map[string]int{}
				for _, e := range trail(t, s.audit, event.Filter{}) {
					byActor[e.Actor]++
					if !strings.HasPrefix(e.ActionObjectID, e.Actor+"-") {
						t.Errorf("%s has an event of %s about %s", s.name, e.Actor, e.ActionObjectID)
					}
				}
				want := map[string]int{}
				for g := range goroutines {
					want[fmt.Sprintf("%s-%d", s.name, g)] = 2 * rounds
				}
				if diff := cmp.Diff(want, byActor); diff != "" {
					t.Errorf("%s: %s", s.name, diff)
				}
			}
		})
	}
}
