package eventaudit_test

import (
	"context"
	"slices"

	"gorm.io/gorm"
	"pgregory.net/rapid"
)

// shape is a way to run blocks within transactions, or without.
type shape struct {
	name string
	draw func(t *rapid.T) program
}

func drawPrograms(t *rapid.T) []program {
	var programs []program
	for range rapid.IntRange(1, 6).Draw(t, "programs") {
		s := pick(t, "shape", shapes)
		t.Logf("shape: %s", s.name)
		programs = append(programs, s.draw(t))
	}
	return programs
}

// within returns the shape of one block in a session.
func within(name string, session func(db *gorm.DB) *gorm.DB) shape {
	return shape{name, func(t *rapid.T) program {
		some := drawBlock(t)
		return func(p *performance, db *gorm.DB) {
			if err := some(p, session(db)); err != nil {
				p.saw(name, result{err: err})
			}
		}
	}}
}

var shapes = slices.Concat(plainShapes, poolShapes)

var plainShapes = []shape{
	within("plain", func(db *gorm.DB) *gorm.DB { return db }),
	within("skip default transaction", func(db *gorm.DB) *gorm.DB {
		return db.Session(&gorm.Session{SkipDefaultTransaction: true})
	}),
	within("prepared", func(db *gorm.DB) *gorm.DB { return db.Session(&gorm.Session{PrepareStmt: true}) }),
	within("without hooks", func(db *gorm.DB) *gorm.DB { return db.Session(&gorm.Session{SkipHooks: true}) }),
	within("full save of associations", func(db *gorm.DB) *gorm.DB {
		return db.Session(&gorm.Session{FullSaveAssociations: true})
	}),
	within("global updates", func(db *gorm.DB) *gorm.DB { return db.Session(&gorm.Session{AllowGlobalUpdate: true}) }),
	within("batches", func(db *gorm.DB) *gorm.DB { return db.Session(&gorm.Session{CreateBatchSize: 2}) }),
	within("dry run", func(db *gorm.DB) *gorm.DB { return db.Session(&gorm.Session{DryRun: true}) }),
	within("cancelled", func(db *gorm.DB) *gorm.DB {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		return db.WithContext(ctx)
	}),
	{"transaction", func(t *rapid.T) program {
		some, prepared := drawBlock(t), rapid.Bool().Draw(t, "prepared")
		return func(p *performance, db *gorm.DB) {
			db = db.Session(&gorm.Session{PrepareStmt: prepared})
			p.saw("transaction", finished(db.Transaction(func(tx *gorm.DB) error { return some(p, tx) })))
		}
	}},
	{"begin", func(t *rapid.T) program {
		some := drawBlock(t)
		return func(p *performance, db *gorm.DB) {
			tx := db.Begin()
			if some(p, tx) != nil {
				p.saw("rollback", did(tx.Rollback()))
				return
			}
			p.saw("commit", did(tx.Commit()))
		}
	}},
	{"nested", func(t *rapid.T) program {
		before, inner, after := drawBlock(t), drawBlock(t), drawBlock(t)
		return func(p *performance, db *gorm.DB) {
			p.saw("outer transaction", finished(db.Transaction(func(tx *gorm.DB) error {
				if err := before(p, tx); err != nil {
					return err
				}
				p.saw("inner transaction", finished(tx.Transaction(func(tx *gorm.DB) error { return inner(p, tx) })))
				return after(p, tx)
			})))
		}
	}},
	{"savepoint", func(t *rapid.T) program {
		before, between, after := drawBlock(t), drawBlock(t), drawBlock(t)
		return func(p *performance, db *gorm.DB) {
			p.saw("transaction", finished(db.Transaction(func(tx *gorm.DB) error {
				if err := before(p, tx); err != nil {
					return err
				}
				saved := did(tx.SavePoint("here"))
				p.saw("savepoint", saved)
				if saved.err != nil {
					return saved.err
				}
				if between(p, tx) != nil {
					p.saw("rollback to", did(tx.RollbackTo("here")))
				}
				return after(p, tx)
			})))
		}
	}},
	{"connection", func(t *rapid.T) program {
		some := drawBlock(t)
		return func(p *performance, db *gorm.DB) {
			p.saw("connection", finished(db.Connection(func(tx *gorm.DB) error {
				return some(p, tx.Session(&gorm.Session{}))
			})))
		}
	}},
}
