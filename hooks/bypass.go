package hooks

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
)

// Bypass says what happens to raw SQL that changes an audited table, which no
// callback of GORM sees the rows of, and to all that changes a virtual table of
// SQLite.
type Bypass string

// The policies for raw SQL.
const (
	// BypassIgnore lets it pass.
	BypassIgnore Bypass = "ignore"
	// BypassWarn logs it, once for each place in the app, verb and table.
	BypassWarn Bypass = "warn"
	// BypassRecord adds one event for each audited table, in the transaction
	// of the statement: what was done to it and to how many rows.
	BypassRecord Bypass = "record"
	// BypassRefuse does not run it; the error wraps ErrRefused.
	BypassRefuse Bypass = "refuse"
)

// ErrRefused says that SQL was not run, because it changes an audited table,
// nothing captures that, and BypassRefuse is set.
var ErrRefused = errors.New("eventaudit: raw SQL refused")

func (b Bypass) validate() error {
	switch b {
	case BypassIgnore, BypassWarn, BypassRecord, BypassRefuse:
		return nil
	}
	return &event.FieldError{Field: "OnBypass", Value: string(b), Reason: `is unknown; use "ignore", "warn", "record" or "refuse"`}
}

// watch wraps the callbacks that raw SQL comes through: Exec, Scan and Rows,
// Find and First.
func (c *capturer) watch(db *gorm.DB) error {
	var problems []error
	for name, p := range map[string]processor{
		"gorm:raw": db.Callback().Raw(), "gorm:row": db.Callback().Row(), "gorm:query": db.Callback().Query(),
	} {
		problems = append(problems, p.Replace(name, c.watched(p.Get(name), name == "gorm:row")))
	}
	return errors.Join(problems...)
}

// watched wraps one of them. A statement that GORM builds has no text yet, and
// only its errors count. Those of rows that the app reads itself are not seen.
func (c *capturer) watched(original func(*gorm.DB), unseen bool) func(*gorm.DB) {
	return func(db *gorm.DB) {
		stmt := db.Statement
		pool := stmt.ConnPool
		defer func() { c.doubtFailed(db, pool) }()
		c.follow(db)
		if unseen && c.dialect.errorsEnd {
			c.doubt(pool)
		}
		if stmt.SQL.Len() == 0 || db.Error != nil || db.DryRun || stmt.ConnPool == nil {
			original(db)
			return
		}
		parsed := parseSQL(c.dialect.syntax, stmt.SQL.String())
		if parsed.schema {
			defer c.tables.forget()
		}
		if parsed.ends {
			defer c.doubt(pool)
		}
		if c.OnBypass != BypassIgnore && !event.AuditDisabled(stmt.Context) {
			defer func() { stmt.ConnPool = pool }()
			stmt.ConnPool = c.instead(db, pool, parsed, rawSQL)
		}
		original(db)
	}
}

// unseen is a way to write of which capture does not see the rows.
type unseen struct {
	// what happens, and what the app can do instead.
	what, instead string
}

var (
	rawSQL       = unseen{"raw SQL writes to an audited table and leaves no event", "write it through GORM's Create, Update or Delete"}
	virtualTable = unseen{"a write to a virtual table leaves no event, because SQLite does not return its rows", "audit the table that it is made from"}
)

// instead returns the connection that the SQL is to go through.
func (c *capturer) instead(db *gorm.DB, pool gorm.ConnPool, parsed script, way unseen) gorm.ConnPool {
	ctx := db.Statement.Context
	if parsed.opaque != "" {
		c.bypasses.warnOpaque(ctx, c.Logger, parsed.opaque)
	}
	found := c.bypassing(parsed)
	if len(found) == 0 {
		return pool
	}
	if err := c.permitted(ctx, found); err != nil {
		return &refusing{pool, c.replayer, err}
	}
	switch c.OnBypass {
	case BypassRefuse:
		return &refusing{pool, c.replayer, fmt.Errorf(
			"%w: %s of audited table %s would leave no trace; %s, or run it with event.WithoutAudit(ctx) and record an event",
			ErrRefused, found[0].verb, strings.Join(found[0].tables(), ", "), way.instead)}
	case BypassRecord:
		return &recording{ConnPool: pool, capturer: c, db: db, parsed: parsed, found: found}
	default:
		for _, b := range found {
			c.bypasses.warn(ctx, c.Logger, way, b)
		}
		return pool
	}
}

// permitted returns the first error of Permit.
func (c *capturer) permitted(ctx context.Context, found []bypass) error {
	if c.Permit == nil {
		return nil
	}
	for _, b := range found {
		for _, table := range b.tables() {
			if err := c.Permit(ctx, b.objects[table], table); err != nil {
				return err
			}
		}
	}
	return nil
}

// bypass is a write to audited tables that nothing captures.
type bypass struct {
	verb string
	// objects are the tables with the ActionObject of their events.
	objects map[string]string
}

func (b bypass) tables() []string { return slices.Sorted(maps.Keys(b.objects)) }

// bypassing returns the writes to audited tables.
func (c *capturer) bypassing(parsed script) []bypass {
	var found []bypass
	for _, w := range parsed.writes {
		b := bypass{w.verb, map[string]string{}}
		for _, table := range w.tables {
			if c.rebuilding(table) {
				continue
			}
			if object, audited := c.models.lookUp(table, c.Audited); audited {
				b.objects[table] = object
			}
		}
		same := func(other bypass) bool { return other.verb == b.verb && maps.Equal(other.objects, b.objects) }
		if len(b.objects) > 0 && !slices.ContainsFunc(found, same) {
			found = append(found, b)
		}
	}
	return found
}

// rebuilding reports whether the table is one that GORM's migrator copies an
// SQLite table to, because SQLite cannot alter columns. No row changes.
func (c *capturer) rebuilding(table string) bool {
	return c.dialect.syntax == sqliteSyntax && strings.HasSuffix(table, "__temp")
}

// models remembers what was decided about the tables of models, because raw
// SQL names only the table.
type models struct {
	mutex sync.RWMutex
	known map[string]model
}

type model struct {
	object  string
	audited bool
}

// met remembers a table. One that any of its models is audited by is audited.
func (m *models) met(t *table) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	name := strings.ToLower(t.name)
	if m.known[name].audited {
		return
	}
	if m.known == nil {
		m.known = map[string]model{}
	}
	m.known[name] = model{t.object, t.audited}
}

// lookUp returns the object of a table and whether it is audited. A table of
// no known model is judged by its name.
func (m *models) lookUp(table string, audited func(object, table string) bool) (object string, is bool) {
	m.mutex.RLock()
	known, ok := m.known[strings.ToLower(table)]
	m.mutex.RUnlock()
	if ok {
		return known.object, known.audited
	}
	return table, audited(table, table)
}

// refusing is a connection that runs nothing.
type refusing struct {
	gorm.ConnPool
	replayer replayer
	err      error
}

func (r *refusing) ExecContext(context.Context, string, ...any) (sql.Result, error) {
	return nil, r.err
}

func (r *refusing) QueryContext(context.Context, string, ...any) (*sql.Rows, error) {
	return nil, r.err
}

func (r *refusing) QueryRowContext(context.Context, string, ...any) *sql.Row {
	return r.replayer.row(nil, r.err)
}
