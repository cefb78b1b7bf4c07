// Package sqlrepo keeps the audit trail in a table of the app's own database,
// reached through GORM: PostgreSQL, SQLite, MariaDB and MySQL. It is the
// repository named "basic" (alias "postgres"), and the one whose events commit
// together with the data they are about.
//
// Package migrate creates the table:
//
//	if err := migrate.Up(db); err != nil { … }
//	events, err := sqlrepo.New(db, nil)
//
// # Guarantees
//
// What is read is what was written, to the byte, on every database: text is
// compared and ordered by bytes, JSON documents keep their spelling, and values
// that a column cannot hold are encoded reversibly. Sequence is assigned by the
// database, so that it orders the events of one record whatever the clocks say.
//
// # Limits
//
// A page of 100 events takes less than a millisecond among a million, at any
// depth by cursor: without a filter, or by any field, however rare its value.
// The exceptions read the table until they have met enough events: a seldom
// category or action, and on MariaDB and MySQL a rare value of any field but
// id, actor and the object. migrate.AddIndexes gives such a field an index.
//
// Lists are in byte order of the ids; an id with U+241B or "…sha256:" in it is
// kept and found, but sorts by its encoded form.
// Find holds a connection until its loop ends: a loop that writes to the same
// database needs a second one in the pool.
package sqlrepo

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/connpool"
	"github.com/eventaudit/eventaudit/repository"
)

// Table is the name of the event table that package migrate creates.
const Table = "event_audit_event"

// Options change how a Repository works. The zero value and nil are fine.
type Options struct {
	// Table is the table that holds the events, for example one that was set
	// aside as an archive. It must have the columns of the one that package
	// migrate creates. Default: Table.
	Table string
}

// Repository is an event table. It is safe for concurrent use, and has every
// optional power that package repository knows.
type Repository struct {
	pool    gorm.ConnPool
	dialect dialect
	name    string // of the table
	table   string // the name in quotes
	inserts inserts
}

var (
	_ repository.Repository    = (*Repository)(nil)
	_ repository.Getter        = (*Repository)(nil)
	_ repository.Counter       = (*Repository)(nil)
	_ repository.Remover       = (*Repository)(nil)
	_ repository.FilterRemover = (*Repository)(nil)
	_ repository.AllRemover    = (*Repository)(nil)
	_ repository.Pinger        = (*Repository)(nil)
)

func init() {
	repository.Register("basic", open)
	repository.Register("postgres", open)
}

func open(_ context.Context, s repository.Settings) (repository.Repository, error) {
	db, ok := s.Database.(*gorm.DB)
	if !ok {
		return nil, &event.FieldError{
			Field: "database", Value: fmt.Sprintf("%T", s.Database),
			Reason: "is not the *gorm.DB that this repository lives in; set repository.Settings.Database",
		}
	}
	return New(db, nil)
}

// New returns the event table of the database that db is connected to; when db
// is a transaction, the one that this transaction sees. It opens nothing: see
// Ready. The error is a *event.FieldError when db is nil or its dialect is not
// supported.
//
// GORM itself is passed by: statements go straight to the connection pool of
// db, so that no scope, callback or dry run of the app has a say in them.
func New(db *gorm.DB, opts *Options) (*Repository, error) {
	if db == nil || db.Statement == nil || db.Statement.ConnPool == nil {
		return nil, &event.FieldError{Field: "database", Value: "nil", Reason: "is not an open database; pass the *gorm.DB that gorm.Open returned"}
	}
	d, err := dialectOf(db.Name())
	if err != nil {
		return nil, err
	}
	table := Table
	if opts != nil && opts.Table != "" {
		table = opts.Table
	}
	r := &Repository{pool: connpool.Unwrap(db.Statement.ConnPool), dialect: d, name: table, table: d.quoted(table)}
	r.inserts.prefix = insertPrefix(d, table)
	return r, nil
}

// Ping reports whether the database answers.
func (r *Repository) Ping(ctx context.Context) error {
	if _, err := r.pool.ExecContext(ctx, "SELECT 1"); err != nil {
		return fmt.Errorf("sqlrepo: ping: %w", err)
	}
	return nil
}
