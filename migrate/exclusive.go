package migrate

import (
	"context"
	"database/sql"
	"errors"

	"gorm.io/gorm"
	"gorm.io/gorm/callbacks"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"

	"github.com/eventaudit/eventaudit/event"
)

// session is a connection that holds the lock on migrating the database and,
// where the database can undo changes of tables, a transaction.
type session struct{ *sql.Conn }

// exclusively runs do while no other process migrates the same database. What
// do changes is kept when it succeeds; when it fails it is undone, except on
// MariaDB and MySQL, which cannot undo changes of tables.
//
// Inside of a session, or of a transaction of the caller, it just runs do.
func exclusively(db *gorm.DB, do func(plain *gorm.DB) error) error {
	if err := check(db); err != nil {
		return err
	}
	d, err := dialectOf(db.Name())
	if err != nil {
		return err
	}
	switch pool := db.Statement.ConnPool.(type) {
	case session, gorm.TxCommitter:
		return withPlain(db, pool, do)
	}
	pool, err := db.DB()
	if err != nil {
		return err
	}
	ctx := db.Statement.Context
	conn, err := pool.Conn(ctx)
	if err != nil {
		return err
	}
	err = d.begin(ctx, conn)
	if err == nil {
		err = withPlain(db, session{conn}, do)
		err = errors.Join(err, d.end(context.WithoutCancel(ctx), conn, err == nil))
	}
	return errors.Join(err, conn.Close())
}

func check(db *gorm.DB) error {
	if db == nil || db.Statement == nil || db.Statement.ConnPool == nil {
		return &event.FieldError{Field: "database", Value: "nil", Reason: "is not an open database; pass the *gorm.DB that gorm.Open returned"}
	}
	return nil
}

// withPlain runs do with a *gorm.DB that has nothing of db but its dialect and
// context: no plugins, callbacks, naming strategy or dry run of the app.
func withPlain(db *gorm.DB, pool gorm.ConnPool, do func(*gorm.DB) error) error {
	plain, err := gorm.Open(bare{db.Dialector, db.ClauseBuilders}, &gorm.Config{
		ConnPool:               pool,
		SkipDefaultTransaction: true,
		DisableAutomaticPing:   true,
		Logger:                 logger.Discard,
	})
	if err != nil {
		return err
	}
	return do(plain.WithContext(db.Statement.Context))
}

// bare is a dialect that opens no connection of its own.
type bare struct {
	gorm.Dialector
	clauses map[string]clause.ClauseBuilder
}

// Initialize implements gorm.Dialector.
func (b bare) Initialize(db *gorm.DB) error {
	callbacks.RegisterDefaultCallbacks(db, &callbacks.Config{})
	db.ClauseBuilders = b.clauses
	return nil
}
