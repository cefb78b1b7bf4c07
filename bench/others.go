package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/redis/go-redis/v9"
	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/export"
	"github.com/eventaudit/eventaudit/migrate"
	"github.com/eventaudit/eventaudit/outbox"
	"github.com/eventaudit/eventaudit/repository/redisrepo"
	"github.com/eventaudit/eventaudit/repository/sqlrepo"
)

// What is measured besides writes: each variant has a way of its own to do the
// same.

// others are these settings.
func others() []setting {
	return []setting{
		{"Encoding of 10,000 events", []variant{{name: "package encoding"}, {name: "eventaudit"}}, openEncoders, named("JSON Lines", "CSV")},
		{"Reads of a million events, PostgreSQL", []variant{{name: "as one writes it at first"}, {name: "eventaudit"}}, openMillion(), named(
			depth, "the newest 100 of a busy actor", "the newest 100 of a rare actor", "the history of a record", exported,
		)},
		{"10,000 events to Redis", []variant{{name: "XADD by hand"}, {name: "Write"}, {name: "outbox relay"}}, openRelays, named("all of them")},
	}
}

const (
	depth    = "100 at a depth of 500,000"
	exported = "200,000 as JSON Lines"
)

// named are operations that a subject has its own way for.
func named(names ...string) (list []operation) {
	for _, name := range names {
		list = append(list, operation{name: name, large: true, prepare: nothing})
	}
	return list
}

// examples are events as creates leave them.
func examples(n int) []event.Event {
	events := make([]event.Event, n)
	for i := range events {
		e := event.New(event.CategoryModel, event.ActionCreated)
		e.Complete(time.Now())
		e.Actor, e.ActionObject, e.ActionObjectID, e.TransactionID = "user-123", "account", fmt.Sprint(i), event.NewID()
		e.Result = json.RawMessage(`{"new":{"id":1,"created_at":"2026-03-02T10:30:00Z","deleted_at":null,"name":"Erika Mustermann","email":"erika@example.org","status":"active","age":20,"balance":1234.56,"active":true,"settings":"{\"theme\":\"dark\",\"language\":\"de\"}"}}`)
		events[i] = e
	}
	return events
}

func each(events []event.Event) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		for _, e := range events {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// openEncoders compares with what the standard library writes of the same
// fields.
func openEncoders(v variant) (*subject, error) {
	events := examples(10_000)
	if v.name == "eventaudit" {
		return &subject{variant: v, runs: map[string]func() error{
			"JSON Lines": func() error { return export.JSONLines{}.Export(io.Discard, each(events)) },
			"CSV":        func() error { return export.CSV{}.Export(io.Discard, each(events)) },
		}}, nil
	}
	return &subject{variant: v, runs: map[string]func() error{
		"JSON Lines": func() error {
			encoder := json.NewEncoder(io.Discard)
			for _, e := range events {
				if err := encoder.Encode(e); err != nil {
					return err
				}
			}
			return nil
		},
		"CSV": func() error {
			file := csv.NewWriter(io.Discard)
			for _, e := range events {
				err := file.Write([]string{
					e.ID, fmt.Sprint(e.Sequence), e.Timestamp.Format(export.DefaultTimeFormat), e.Category, e.Action, e.Actor, e.ActionObject, e.ActionObjectID,
					e.TargetType, e.TargetID, string(e.Outcome), e.Error, e.TransactionID, e.RequestID, e.TraceID, e.Tenant, e.Reason, e.OnBehalfOf,
					e.IPAddress, e.UserAgent, string(e.Result), string(e.Payload), fmt.Sprint(e.Meta), fmt.Sprint(e.SchemaVersion), fmt.Sprint(e.BeforeUnknown),
				})
				if err != nil {
					return err
				}
			}
			file.Flush()
			return file.Error()
		},
	}}, nil
}

// million fills the event table: one actor has half of the events, and another
// three.
const million = `INSERT INTO event_audit_event (id, category, action, actor, action_object, action_object_id, target_type, target_id, outcome, error,
	transaction_id, request_id, trace_id, tenant, reason, on_behalf_of, ip_address, user_agent, "timestamp", result, schema_version, before_unknown)
	SELECT lpad(to_hex(g), 8, '0') || '-71f8-7269-a73a-2a46fab40000', 'model', 'changed',
		CASE WHEN g % 333333 = 0 THEN 'rare' WHEN g % 2 = 0 THEN 'busy' ELSE 'user-' || g % 1000 END, 'account', (g % 50000)::text, '', '', 'success', '',
		lpad(to_hex(g), 8, '0') || '-71f8-7269-a73a-2a46fab40001', '', '', '', '', '', '', '', '2026-01-01'::timestamptz + g * interval '1 second',
		'{"old":{"status":"active","balance":1234.56},"new":{"status":"closed","balance":1235.56}}', 1, false
	FROM generate_series(1, 1000000) AS g`

// openMillion has all variants read one database, which the first one fills.
func openMillion() func(v variant) (*subject, error) {
	var filled *subject
	return func(v variant) (*subject, error) {
		s := &subject{variant: v}
		if filled == nil {
			var err error
			fill := v
			fill.setUp = func(db *gorm.DB) error {
				if err := migrate.Up(db); err != nil {
					return err
				}
				return errors.Join(db.Exec(million).Error, db.Exec("VACUUM ANALYZE event_audit_event").Error)
			}
			if filled, err = openPostgres("")(fill); err != nil {
				return filled, err
			}
			s = filled
		}
		db := filled.db
		if v.name == "eventaudit" {
			repo, err := sqlrepo.New(db, nil)
			s.runs = reads(repo)
			return s, err
		}
		s.runs = readsByHand(db)
		return s, nil
	}
}

func reads(repo *sqlrepo.Repository) map[string]func() error {
	find := func(f event.Filter) func() error {
		return func() error {
			f.Order = event.NewestFirst
			for _, err := range repo.Find(context.Background(), f) {
				if err != nil {
					return err
				}
			}
			return nil
		}
	}
	middle := event.Event{ID: "z", Timestamp: time.Date(2026, 1, 1, 0, 0, 500_000, 0, time.UTC)}
	return map[string]func() error{
		depth:                            find(event.Filter{Limit: 100, After: middle.Cursor()}),
		"the newest 100 of a busy actor": find(event.Filter{Limit: 100, Actor: "busy"}),
		"the newest 100 of a rare actor": find(event.Filter{Limit: 100, Actor: "rare"}),
		"the history of a record":        find(event.Filter{ActionObject: "account", ActionObjectID: "777"}),
		exported: func() error {
			return export.JSONLines{}.Export(io.Discard, repo.Find(context.Background(), event.Filter{Limit: 200_000}))
		},
	}
}

// readsByHand reads the same rows and looks at nothing in them.
func readsByHand(db *gorm.DB) map[string]func() error {
	const all = "SELECT * FROM event_audit_event "
	query := func(text string, args ...any) func() error {
		return func() error {
			rows, err := db.Raw(text, args...).Rows()
			if err != nil {
				return err
			}
			names, err := rows.Columns()
			values := make([]any, len(names))
			for i := range values {
				values[i] = new(any)
			}
			for err == nil && rows.Next() {
				err = rows.Scan(values...)
			}
			return errors.Join(err, rows.Err(), rows.Close())
		}
	}
	return map[string]func() error{
		depth:                            query(all + `ORDER BY "timestamp" DESC, id DESC LIMIT 100 OFFSET 500000`),
		"the newest 100 of a busy actor": query(all+`WHERE actor = $1 ORDER BY "timestamp" DESC, id DESC LIMIT 100`, "busy"),
		"the newest 100 of a rare actor": query(all+`WHERE actor = $1 ORDER BY "timestamp" DESC, id DESC LIMIT 100`, "rare"),
		"the history of a record":        query(all+`WHERE action_object = $1 AND action_object_id = $2 ORDER BY "timestamp" DESC, id DESC`, "account", "777"),
		exported: func() (err error) {
			pool, err := db.DB()
			if err != nil {
				return err
			}
			conn, err := pool.Conn(context.Background())
			if err != nil {
				return err
			}
			err = conn.Raw(func(driverConn any) error {
				_, err := driverConn.(*stdlib.Conn).Conn().PgConn().CopyTo(context.Background(), io.Discard,
					`COPY (SELECT row_to_json(e) FROM (`+all+`ORDER BY "timestamp", id LIMIT 200000) AS e) TO STDOUT`)
				return err
			})
			return errors.Join(err, conn.Close())
		},
	}
}

// openRelays compares the way by the outbox with two that have none, and so
// lose what is under way when the process dies.
func openRelays(v variant) (*subject, error) {
	url, err := variable("EVENT_AUDIT_TEST_REDIS", "redis://127.0.0.1:6379")
	if err != nil {
		return nil, err
	}
	options, err := redis.ParseURL(url)
	if err != nil {
		return nil, err
	}
	v.setUp = migrate.Up
	s, err := openPostgres("")(v)
	if err != nil {
		return s, err
	}
	client, prefix := redis.NewClient(options), randomName()
	s.close = append(s.close, client.Close, func() error { return forget(client, prefix) })
	repo, err := redisrepo.New(client, &redisrepo.Options{Prefix: prefix})
	if err != nil {
		return s, err
	}
	switch v.name {
	case "outbox relay":
		err = s.relay(repo)
	case "Write":
		s.runs = inTurn(func(events []event.Event) error { return repo.Write(context.Background(), events...) })
	default:
		s.runs = inTurn(func(events []event.Event) error {
			_, err := client.Pipelined(context.Background(), func(p redis.Pipeliner) error {
				for _, e := range events {
					text, err := json.Marshal(e)
					if err != nil {
						return err
					}
					p.XAdd(context.Background(), &redis.XAddArgs{Stream: prefix + ":stream", Values: []any{"event", text}})
				}
				return nil
			})
			return err
		})
	}
	return s, err
}

// inTurn writes events a thousand at a time.
func inTurn(write func([]event.Event) error) map[string]func() error {
	return map[string]func() error{"all of them": func() error {
		for some := range slices.Chunk(examples(10_000), 1000) {
			if err := write(some); err != nil {
				return err
			}
		}
		return nil
	}}
}

// relay empties an outbox that the application fills.
func (s *subject) relay(to *redisrepo.Repository) error {
	box, err := outbox.New(s.db, to, &outbox.Options{BatchSize: 1000})
	if err != nil {
		return err
	}
	s.close = append(s.close, func() error { return box.Close(context.Background()) })
	s.prepare = func() error {
		for some := range slices.Chunk(examples(10_000), 1000) {
			if err := box.Insert(context.Background(), s.db.Statement.ConnPool, some); err != nil {
				return err
			}
		}
		return nil
	}
	s.runs = map[string]func() error{"all of them": func() error { // the other one must not begin before
		relay, err := outbox.New(s.db, to, &outbox.Options{BatchSize: 1000})
		if err != nil {
			return err
		}
		relay.Start()
		return errors.Join(relay.Flush(context.Background()), relay.Close(context.Background()))
	}}
	return nil
}

// forget removes the keys of a measurement.
func forget(client *redis.Client, prefix string) error {
	ctx := context.Background()
	keys := client.Scan(ctx, 0, prefix+"*", 1000).Iterator()
	for keys.Next(ctx) {
		if err := client.Unlink(ctx, keys.Val()).Err(); err != nil {
			return err
		}
	}
	return keys.Err()
}
