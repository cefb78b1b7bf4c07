package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit"
	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/fieldindex"
	"github.com/eventaudit/eventaudit/migrate"
	"github.com/eventaudit/eventaudit/repository"
	"github.com/eventaudit/eventaudit/repository/memrepo"
)

// variant is one way of auditing.
type variant struct {
	name string
	// piped has the connections of package pgpipe.
	piped bool
	// setUp prepares a database with the table of accounts.
	setUp func(db *gorm.DB) error
}

// beside returns db without auditing.
func beside(db *gorm.DB) *gorm.DB {
	return db.Session(&gorm.Session{Context: context.WithValue(event.WithoutAudit(db.Statement.Context), besideKey{}, true)})
}

type besideKey struct{}

func plain(*gorm.DB) error { return nil }

// ours installs eventaudit.
func ours(opts ...eventaudit.Option) func(db *gorm.DB) error {
	return func(db *gorm.DB) error {
		if err := migrate.Up(db); err != nil {
			return err
		}
		return db.Use(eventaudit.Plugin(append(opts, eventaudit.WithLogger(slog.New(slog.DiscardHandler)))...))
	}
}

// withFewIndexes leaves the event table those by sequence, id, time, actor and
// record.
func withFewIndexes(db *gorm.DB) error {
	if err := ours()(db); err != nil {
		return err
	}
	return migrate.DropIndexes(db, fieldindex.Default(db.Name())...)
}

func ignoring(c *eventaudit.Config) { c.Ignore.Models = []string{"account"} }

// throughOutbox puts events into the outbox; nothing takes them out while it
// is measured.
func throughOutbox(c *eventaudit.Config) {
	c.Repository = standstill{memrepo.New(nil)}
}

// standstill is a repository that takes its time.
type standstill struct{ repository.Repository }

func (standstill) Write(ctx context.Context, _ ...event.Event) error {
	<-ctx.Done()
	return ctx.Err()
}

// logged is what the naive plugin and the triggers write to.
type logged struct {
	ID       uint
	At       time.Time `gorm:"index:by_time"`
	Actor    string    `gorm:"size:60;index:by_actor"`
	Action   string    `gorm:"size:20"`
	Object   string    `gorm:"size:60;index:by_object"`
	ObjectID string    `gorm:"size:60;index:by_object"`
	Result   string
}

func (logged) TableName() string { return "logged" }

// naive is what a plugin does at first: it reads the rows before, and writes
// an event for each by itself.
func naive(db *gorm.DB) error {
	if err := db.AutoMigrate(&logged{}); err != nil {
		return err
	}
	const key = "naive:before"
	off := func(db *gorm.DB) bool {
		beside, _ := db.Statement.Context.Value(besideKey{}).(bool)
		return beside || db.Statement.Table != "accounts" || db.Error != nil
	}
	session := func(db *gorm.DB) *gorm.DB {
		return db.Session(&gorm.Session{NewDB: true, SkipDefaultTransaction: true})
	}
	before := func(db *gorm.DB) {
		if off(db) {
			return
		}
		var rows []account
		query := session(db).Model(&account{})
		if row, ok := db.Statement.Model.(*account); ok && row.ID != 0 {
			query = query.Where("id = ?", row.ID)
		}
		if err := db.AddError(query.Find(&rows).Error); err == nil {
			db.InstanceSet(key, rows)
		}
	}
	write := func(db *gorm.DB, action string, old, now *account) {
		row := now
		if row == nil {
			row = old
		}
		text, err := json.Marshal(map[string]any{"old": old, "new": now})
		if err == nil {
			err = session(db).Create(&logged{At: time.Now(), Actor: "system", Action: action, Object: "account", ObjectID: fmt.Sprint(row.ID), Result: string(text)}).Error
		}
		_ = db.AddError(err) //nolint:errcheck // AddError returns what it stores
	}
	created := func(db *gorm.DB) {
		if off(db) {
			return
		}
		switch rows := db.Statement.Dest.(type) {
		case *account:
			write(db, "created", nil, rows)
		case *[]account:
			for i := range *rows {
				write(db, "created", nil, &(*rows)[i])
			}
		}
	}
	changed := func(action string) func(db *gorm.DB) {
		return func(db *gorm.DB) {
			kept, _ := db.InstanceGet(key)
			rows, _ := kept.([]account)
			if off(db) {
				return
			}
			for i := range rows {
				now := &account{}
				if action == "deleted" {
					now = nil
				} else if err := db.AddError(session(db).First(now, rows[i].ID).Error); err != nil {
					return
				}
				write(db, action, &rows[i], now)
			}
		}
	}
	const end = "gorm:commit_or_rollback_transaction"
	return errors.Join(
		db.Callback().Create().After("gorm:create").Before(end).Register("naive:created", created),
		db.Callback().Update().After("gorm:begin_transaction").Before("gorm:update").Register("naive:before", before),
		db.Callback().Update().After("gorm:update").Before(end).Register("naive:changed", changed("changed")),
		db.Callback().Delete().After("gorm:begin_transaction").Before("gorm:delete").Register("naive:before", before),
		db.Callback().Delete().After("gorm:delete").Before(end).Register("naive:deleted", changed("deleted")),
	)
}

// trigger creates triggers. They run while rows are prepared, too, which is
// not measured.
func trigger(texts ...string) func(db *gorm.DB) error {
	return func(db *gorm.DB) error {
		if err := db.AutoMigrate(&logged{}); err != nil {
			return err
		}
		for _, text := range texts {
			if err := db.Exec(text).Error; err != nil {
				return err
			}
		}
		return nil
	}
}

const logInto = "INSERT INTO logged (at, actor, action, object, object_id, result) "

var rowTrigger = trigger(
	`CREATE FUNCTION log_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN `+logInto+`VALUES (now(), 'system', TG_OP, TG_TABLE_NAME,
		coalesce(NEW.id, OLD.id)::text, json_build_object('old', CASE WHEN TG_OP <> 'INSERT' THEN to_json(OLD) END, 'new', CASE WHEN TG_OP <> 'DELETE' THEN to_json(NEW) END));
		RETURN NULL; END $$`,
	"CREATE TRIGGER l AFTER INSERT OR UPDATE OR DELETE ON accounts FOR EACH ROW EXECUTE FUNCTION log_row()",
)

var statementTrigger = trigger(
	`CREATE FUNCTION log_new() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN `+logInto+`SELECT now(), 'system', TG_OP, TG_TABLE_NAME, id::text,
		json_build_object('new', to_json(n)) FROM n; RETURN NULL; END $$`,
	`CREATE FUNCTION log_both() RETURNS trigger LANGUAGE plpgsql SET enable_nestloop = off AS $$ BEGIN `+logInto+`SELECT now(), 'system', TG_OP, TG_TABLE_NAME, n.id::text,
		json_build_object('old', to_json(o), 'new', to_json(n)) FROM n JOIN o USING (id); RETURN NULL; END $$`,
	"CREATE TRIGGER i AFTER INSERT ON accounts REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION log_new()",
	"CREATE TRIGGER u AFTER UPDATE ON accounts REFERENCING OLD TABLE AS o NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION log_both()",
)

// jsonTriggers are row triggers of MariaDB and SQLite.
func jsonTriggers(now, text string) func(db *gorm.DB) error {
	const columns = "'id',%[1]s.id,'name',%[1]s.name,'email',%[1]s.email,'status',%[1]s.status,'age',%[1]s.age,'balance',%[1]s.balance,'active',%[1]s.active,'settings',%[1]s.settings"
	object := func(row string) string { return "json_object(" + fmt.Sprintf(columns, row) + ")" }
	insert := func(action, row, result string) string {
		return " BEGIN " + logInto + "VALUES (" + now + ", 'system', '" + action + "', 'accounts', cast(" + row + ".id AS " + text + "), " + result + "); END"
	}
	return trigger(
		"CREATE TRIGGER li AFTER INSERT ON accounts FOR EACH ROW"+insert("INSERT", "NEW", "json_object('new', "+object("NEW")+")"),
		"CREATE TRIGGER lu AFTER UPDATE ON accounts FOR EACH ROW"+insert("UPDATE", "NEW", "json_object('old', "+object("OLD")+", 'new', "+object("NEW")+")"),
	)
}

// closing closes something.
type closing = func() error

// subject is a variant on a database of its own.
type subject struct {
	variant
	db    *gorm.DB
	close []closing
	// runs are its own ways to do some operations, and prepare comes before
	// each.
	runs    map[string]func() error
	prepare func() error
}

// setUpOn sets the variant up on the database.
func (s *subject) setUpOn(v variant, db *gorm.DB, connections int) error {
	s.variant, s.db = v, db
	pool, err := db.DB()
	if err != nil {
		return err
	}
	s.close = append(s.close, pool.Close)
	pool.SetMaxOpenConns(connections)
	pool.SetMaxIdleConns(connections)
	if err := db.AutoMigrate(&account{}); err != nil {
		return err
	}
	return v.setUp(db)
}

// Close closes what the subject opened, the last first.
func (s *subject) Close() error {
	var all []error
	for _, end := range slices.Backward(s.close) {
		all = append(all, end())
	}
	return errors.Join(all...)
}
