package eventaudit_test

import (
	"context"

	"gorm.io/gorm"
	"pgregory.net/rapid"
)

// unwrapped are sessions without a transaction by default: what happens is up
// to the connection.
func unwrapped(db *gorm.DB) *gorm.DB {
	return db.Session(&gorm.Session{SkipDefaultTransaction: true})
}

// poolShapes run blocks on connections that GORM did not get by itself, or
// that it does not know the state of.
var poolShapes = []shape{
	{"connection without transactions", func(t *rapid.T) program {
		some := drawBlock(t)
		return func(p *performance, db *gorm.DB) {
			p.saw("connection", finished(unwrapped(db).Connection(func(tx *gorm.DB) error {
				return some(p, tx.Session(&gorm.Session{}))
			})))
		}
	}},
	{"begin as text", func(t *rapid.T) program {
		some := drawBlock(t)
		return func(p *performance, db *gorm.DB) {
			p.saw("connection", finished(unwrapped(db).Connection(func(tx *gorm.DB) error {
				tx = tx.Session(&gorm.Session{})
				if err := tx.Exec("BEGIN").Error; err != nil {
					return err
				}
				if some(p, tx) != nil {
					return tx.Exec("ROLLBACK").Error
				}
				return tx.Exec("COMMIT").Error
			})))
		}
	}},
	{"savepoint as text", func(t *rapid.T) program {
		before, between, after := drawBlock(t), drawBlock(t), drawBlock(t)
		return func(p *performance, db *gorm.DB) {
			p.saw("connection", finished(unwrapped(db).Connection(func(tx *gorm.DB) error {
				tx = tx.Session(&gorm.Session{})
				say := func(text string) { p.saw(text, spoken(tx, text)) }
				say("BEGIN")
				p.saw("before", finished(before(p, tx)))
				say("SAVEPOINT here")
				if between(p, tx) != nil {
					say("ROLLBACK TO SAVEPOINT here")
				}
				p.saw("after", finished(after(p, tx)))
				say("COMMIT")
				return nil
			})))
		}
	}},
	{"commit as text", func(t *rapid.T) program {
		before, after := drawBlock(t), drawBlock(t)
		end := pick(t, "end", []string{"COMMIT", "ROLLBACK"})
		return func(p *performance, db *gorm.DB) {
			tx := db.Begin()
			p.saw("before", finished(before(p, tx)))
			p.saw(end, spoken(tx, end))
			p.saw("after", finished(after(p, tx)))
			p.saw("rollback", finished(nil, tx.Rollback().Error != nil))
		}
	}},
	{"foreign transaction", func(t *rapid.T) program {
		some, skip := drawBlock(t), rapid.Bool().Draw(t, "skip default transaction")
		return func(p *performance, db *gorm.DB) {
			p.saw("foreign transaction", finished(p.inForeign(db, func(tx *gorm.DB) error {
				return some(p, tx.Session(&gorm.Session{SkipDefaultTransaction: skip}))
			})))
		}
	}},
	{"foreign connection", func(t *rapid.T) program {
		some, skip := drawBlock(t), rapid.Bool().Draw(t, "skip default transaction")
		return func(p *performance, db *gorm.DB) {
			p.saw("foreign connection", finished(p.onForeign(db, func(tx *gorm.DB) error {
				return some(p, tx.Session(&gorm.Session{SkipDefaultTransaction: skip}))
			})))
		}
	}},
	{"transaction on a foreign connection", func(t *rapid.T) program {
		some := drawBlock(t)
		return func(p *performance, db *gorm.DB) {
			p.saw("foreign connection", finished(p.onForeign(db, func(tx *gorm.DB) error {
				return tx.Transaction(func(tx *gorm.DB) error { return some(p, tx) })
			})))
		}
	}},
}

// spoken is what became of a word about a transaction. It affects no rows, and
// SQLite repeats the count of the statement before, which may be one of ours.
func spoken(tx *gorm.DB, text string) result { return finished(tx.Exec(text).Error) }

// through returns a session whose statements go through the pool.
func through(db *gorm.DB, pool gorm.ConnPool) *gorm.DB {
	tx := db.Session(&gorm.Session{NewDB: true, Context: db.Statement.Context})
	tx.Statement.ConnPool = pool
	return tx
}

// inForeign does it in a transaction that database/sql began, and commits when
// there was no error.
func (p *performance) inForeign(db *gorm.DB, do func(tx *gorm.DB) error) error {
	pool, err := db.DB()
	if err != nil {
		return err
	}
	tx, err := pool.BeginTx(context.Background(), nil)
	if err != nil {
		return err
	}
	if err := do(through(db, tx)); err != nil {
		p.saw("rollback", finished(tx.Rollback()))
		return err
	}
	return tx.Commit()
}

// onForeign does it on a connection that database/sql handed out.
func (p *performance) onForeign(db *gorm.DB, do func(tx *gorm.DB) error) error {
	pool, err := db.DB()
	if err != nil {
		return err
	}
	conn, err := pool.Conn(context.Background())
	if err != nil {
		return err
	}
	err = do(through(db, conn))
	p.saw("close", finished(conn.Close()))
	return err
}
