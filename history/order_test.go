package history_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"
	"pgregory.net/rapid"

	"github.com/eventaudit/eventaudit"
	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/history"
	"github.com/eventaudit/eventaudit/internal/oracle"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/repository"
)

// Team has members, by a foreign key that the database holds.
type Team struct {
	ID   uint
	Name string
}

// Member has an e-mail address of its own, and others to look up to.
type Member struct {
	ID     uint
	Email  string `gorm:"size:40;uniqueIndex"`
	Name   string
	TeamID *uint
	Team   *Team
	BossID *uint
	Boss   *Member
}

// bound are the tables of the models.
var bound = []oracle.Table{
	{Object: "Team", Name: "teams", Keys: []string{"id"}},
	{Object: "Member", Name: "members", Keys: []string{"id"}},
}

// installBound returns a database that holds foreign keys and unique columns.
func installBound(t testing.TB, d *testdb.Database) (*gorm.DB, *eventaudit.Auditor) {
	t.Helper()
	db, audit := install(t, d)
	db.DisableForeignKeyConstraintWhenMigrating = false
	if err := db.AutoMigrate(&Team{}, &Member{}); err != nil {
		t.Fatal(err)
	}
	return db, audit
}

// refill puts two teams and three members there, whom the trail knows.
func refill(t oracle.T, db *gorm.DB, audit *eventaudit.Auditor) {
	t.Helper()
	unseen := db.WithContext(event.WithoutAudit(context.Background()))
	must(t, unseen.Model(&Member{}).Where("1 = 1").Update("boss_id", nil))
	must(t, unseen.Where("1 = 1").Delete(&Member{}))
	must(t, unseen.Where("1 = 1").Delete(&Team{}))
	if err := repository.RemoveAll(context.Background(), audit.Repository()); err != nil {
		t.Fatal(err)
	}
	one, two := uint(1), uint(2)
	must(t, db.Create([]Team{{1, "red"}, {2, "blue"}}))
	must(t, db.Create([]Member{{ID: 1, Email: "x", Name: "Ada", TeamID: &one}, {ID: 2, Email: "z", Name: "Bea", TeamID: &one}, {ID: 3, Email: "w", Name: "Cis", TeamID: &two}}))
}

// steps is what a transaction does.
type steps []func(*gorm.DB) error

func changeMember(id uint, column string, value any) func(*gorm.DB) error {
	return func(tx *gorm.DB) error { return tx.Model(&Member{ID: id}).Update(column, value).Error }
}

func changeTeam(id uint, column string, value any) func(*gorm.DB) error {
	return func(tx *gorm.DB) error { return tx.Model(&Team{ID: id}).Update(column, value).Error }
}

func create(row any) func(*gorm.DB) error {
	return func(tx *gorm.DB) error { return tx.Create(row).Error }
}

func remove(row any) func(*gorm.DB) error {
	return func(tx *gorm.DB) error { return tx.Delete(row).Error }
}

// run carries out the steps in a transaction, and returns its id.
func (s steps) run(t *testing.T, db *gorm.DB, audit *eventaudit.Auditor) string {
	t.Helper()
	err := db.Transaction(func(tx *gorm.DB) error {
		for _, step := range s {
			if err := step(tx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	last, err := audit.Events(t.Context(), event.Filter{Category: event.CategoryModel, Order: event.NewestFirst, Limit: 1})
	if err != nil || len(last) != 1 {
		t.Fatal(last, err)
	}
	return last[0].TransactionID
}

// What a transaction did is undone step by step, since only so every foreign key
// and every unique value holds on the way.
func TestRevertInReverseOrder(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, audit := installBound(t, d)
		for name, s := range map[string]func() steps{
			"created, then pointed": func() steps {
				return steps{create(&Member{ID: 9, Email: "n"}), create(&Team{ID: 9}), changeMember(9, "team_id", 9)}
			},
			"pointed, then renamed": func() steps {
				return steps{create(&Team{ID: 9}), changeMember(1, "team_id", 9), changeTeam(9, "name", "new")}
			},
			"renamed, then pointed": func() steps {
				return steps{changeMember(1, "name", "first"), create(&Team{ID: 9}), changeMember(1, "team_id", 9)}
			},
			"released, then changed": func() steps {
				return steps{changeMember(3, "team_id", nil), remove(&Team{ID: 2}), changeMember(3, "name", "alone")}
			},
			"released, then deleted": func() steps {
				return steps{changeMember(3, "team_id", nil), remove(&Team{ID: 2}), remove(&Member{ID: 3})}
			},
			"a unique value, passed on": func() steps {
				return steps{changeMember(1, "email", "y"), changeMember(2, "email", "x"), changeMember(1, "name", "later")}
			},
			"a unique value, to one that is new": func() steps {
				return steps{changeMember(1, "email", "y"), create(&Member{ID: 9, Email: "x"}), changeMember(1, "name", "later")}
			},
			"unique values, exchanged": func() steps {
				return steps{changeMember(1, "email", "t"), changeMember(2, "email", "x"), changeMember(1, "email", "z")}
			},
			"there and back": func() steps {
				return steps{changeMember(1, "email", "y"), changeMember(2, "email", "x"), changeMember(2, "email", "q"), changeMember(1, "email", "x")}
			},
			"there for a while": func() steps {
				return steps{create(&Team{ID: 9}), changeMember(1, "team_id", 9), changeTeam(1, "name", "r"), changeMember(1, "team_id", nil), remove(&Team{ID: 9})}
			},
			"in a circle": func() steps {
				return steps{create(&Member{ID: 8, Email: "m"}), create(&Member{ID: 9, Email: "n"}), changeMember(8, "boss_id", 9), changeMember(9, "boss_id", 8)}
			},
			"to itself": func() steps {
				return steps{create(&Member{ID: 9, Email: "n"}), changeMember(9, "boss_id", 9)}
			},
			"no longer to itself": func() steps {
				return steps{changeMember(3, "boss_id", 3), changeMember(3, "boss_id", nil), remove(&Member{ID: 3})}
			},
			"created, deleted, created": func() steps {
				nine := uint(9)
				return steps{create(&Member{ID: 8, Email: "m"}), remove(&Member{ID: 8}), create(&Team{ID: 9}), create(&Member{ID: 8, Email: "m", TeamID: &nine})}
			},
			"out of a circle": func() steps {
				return steps{changeMember(1, "boss_id", 2), changeMember(2, "boss_id", 1), changeMember(1, "boss_id", nil), remove(&Member{ID: 2}), changeMember(1, "email", "z")}
			},
			"deleted, created, deleted": func() steps {
				return steps{changeMember(3, "team_id", nil), remove(&Team{ID: 2}), changeMember(3, "name", "n"), create(&Team{ID: 2, Name: "again"}), changeMember(1, "team_id", 2), changeMember(1, "team_id", nil), remove(&Team{ID: 2})}
			},
			"deleted and created, with a new team": func() steps {
				nine := uint(9)
				return steps{remove(&Member{ID: 3}), create(&Team{ID: 9}), create(&Member{ID: 3, Email: "w", TeamID: &nine}), changeTeam(9, "name", "new"), changeMember(3, "name", "later")}
			},
			"another key, then created there": func() steps {
				return steps{changeMember(3, "id", 7), create(&Member{ID: 3, Email: "n"}), changeMember(7, "email", "m"), changeMember(3, "email", "w")}
			},
			"another key, then deleted": func() steps {
				return steps{changeMember(3, "id", 7), changeTeam(1, "name", "r"), remove(&Member{ID: 7})}
			},
		} {
			refill(t, db, audit)
			before := liveBound(t, db)
			transaction := s().run(t, db, audit)
			plan, err := history.RevertTransaction(because(), db, transaction, history.Models(&Team{}, &Member{}))
			if err != nil {
				t.Errorf("%s: %v, by %+v", name, err, plan.Operations)
				continue
			}
			if diff := cmp.Diff(before, liveBound(t, db)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
			oracle.Check(t, db, audit.Repository(), bound...)
		}
	})
}

// liveBound are the rows of the tables.
func liveBound(t oracle.T, db *gorm.DB) map[string]map[string]oracle.Row {
	t.Helper()
	rows := map[string]map[string]oracle.Row{}
	for _, table := range bound {
		rows[table.Object] = oracle.Live(t, db, table)
	}
	return rows
}

// What the steps of a row leave between them is in the plan, and is compared.
func TestPlanInReverseOrder(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, audit := installBound(t, d)
		refill(t, db, audit)
		transaction := steps{
			changeMember(1, "name", "a"), changeMember(1, "email", "y"), changeMember(2, "email", "x"), changeMember(1, "name", "later"),
		}.run(t, db, audit)
		plan, err := history.RevertTransaction(because(), db, transaction, history.DryRun())
		if err != nil || len(plan.Conflicts) > 0 {
			t.Fatalf("plan %+v, error %v", plan, err)
		}
		var got []string
		for _, op := range plan.Operations {
			for _, c := range op.Changes {
				got = append(got, string(op.Verb)+" "+op.ID+" "+c.Field+" "+string(c.Old)+" "+string(c.New))
			}
		}
		want := []string{`update 1 Name "later" "a"`, `update 2 Email "x" "z"`, `update 1 Email "y" "x"`, `update 1 Name "a" "Ada"`}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		must(t, db.Model(&Member{ID: 1}).Update("email", "q"))
		changed := liveBound(t, db)
		plan, err = history.RevertTransaction(because(), db, transaction)
		if !errors.Is(err, history.ErrChangedSince) || plan.Applied {
			t.Errorf("changed since: plan %+v, error %v", plan, err)
		}
		if diff := cmp.Diff(changed, liveBound(t, db)); diff != "" {
			t.Errorf("changed since (-want +got):\n%s", diff)
		}
	})
}

// A value that is kept out of the trail and only stood between two steps is not
// needed.
func TestRevertOfMaskedValuesBetween(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, audit := install(t, d)
		p := Person{Name: "Ada", Password: "first"}
		transaction := steps{
			create(&p), create(&Club{Name: "c"}),
			func(tx *gorm.DB) error {
				return tx.Model(&p).Updates(map[string]any{"password": "second", "name": "Bea"}).Error
			},
			create(&Club{Name: "d"}),
			func(tx *gorm.DB) error { return tx.Unscoped().Delete(&p).Error },
			create(&Club{Name: "e"}),
		}.run(t, db, audit)
		if plan, err := history.RevertTransaction(because(), db, transaction); err != nil || !plan.Applied {
			t.Errorf("plan %+v, error %v", plan, err)
		}
		oracle.Check(t, db, audit.Repository(), tables...)
	})
}

// Box has a column that the database computes.
type Box struct {
	ID   uint
	Side int
	Area int `gorm:"->;type:int GENERATED ALWAYS AS (side * side) STORED"`
}

// What a row is in between is compared without what the database computes.
func TestRevertOfComputedColumnsBetween(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, audit := install(t, d)
		if err := db.AutoMigrate(&Box{}); err != nil {
			t.Fatal(err)
		}
		must(t, db.Create(&Box{ID: 1, Side: 2}))
		side := func(n int) func(*gorm.DB) error {
			return func(tx *gorm.DB) error { return tx.Model(&Box{ID: 1}).Update("side", n).Error }
		}
		transaction := steps{
			side(3), create(&Box{ID: 2, Side: 5}), create(&Club{Name: "c"}), side(4), remove(&Box{ID: 2}), side(5),
		}.run(t, db, audit)
		plan, err := history.RevertTransaction(because(), db, transaction)
		var left []Box
		must(t, db.Find(&left))
		if want := []Box{{1, 2, 4}}; err != nil || !slices.Equal(left, want) || len(plan.Operations) != 6 {
			t.Errorf("left %v, by %+v, error %v", left, plan.Operations, err)
		}
	})
}

// A row that was deleted and created again under its key is not deleted again:
// rows that came later refer to it.
func TestRevertKeepsRowsThatCameBack(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, audit := installBound(t, d)
		refill(t, db, audit)
		transaction := steps{
			changeMember(3, "team_id", nil), remove(&Team{ID: 2}), changeTeam(1, "name", "r"), create(&Team{ID: 2, Name: "green"}), changeTeam(1, "name", "s"),
		}.run(t, db, audit)
		two := uint(2)
		must(t, db.Create(&Member{ID: 4, Email: "v", TeamID: &two}))
		plan, err := history.RevertTransaction(because(), db, transaction)
		if err != nil {
			t.Fatalf("plan %+v, error %v", plan, err)
		}
		for _, op := range plan.Operations {
			if op.Verb != history.Update {
				t.Errorf("%s %s %s", op.Verb, op.Object, op.ID)
			}
		}
		var blue Team
		must(t, db.First(&blue, 2))
		if blue.Name != "blue" {
			t.Errorf("team 2 is %+v", blue)
		}
		oracle.Check(t, db, audit.Repository(), bound...)
	})
}

// Whatever a transaction does to rows that are bound to each other: it can be
// undone, and then everything is as before, in the trail too.
func TestRevertRandomBoundTransactions(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, audit := installBound(t, d)
		reverted := 0
		rapid.Check(t, func(t *rapid.T) {
			refill(t, db, audit)
			before := liveBound(t, db)
			fresh := uint(10)
			err := db.Transaction(func(tx *gorm.DB) error {
				for range rapid.IntRange(8, 16).Draw(t, "things") {
					// what the database refuses does not end the transaction
					if err := tx.Transaction(func(tx *gorm.DB) error { return happenBound(t, tx, &fresh) }); err != nil {
						t.Logf("refused: %v", err)
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			events, err := audit.Events(context.Background(), event.Filter{Category: event.CategoryModel, Order: event.NewestFirst, Limit: 1})
			if err != nil || len(events) != 1 {
				t.Fatal(events, err)
			}
			if cmp.Equal(before, liveBound(t, db)) {
				return
			}
			plan, err := history.RevertTransaction(because(), db, events[0].TransactionID, history.Models(&Team{}, &Member{}))
			if err != nil {
				t.Fatalf("plan %+v, error %v", plan, err)
			}
			reverted++
			if diff := cmp.Diff(before, liveBound(t, db)); diff != "" {
				t.Fatalf("(-want +got):\n%s", diff)
			}
			oracle.Check(t, db, audit.Repository(), bound...)
		})
		if reverted == 0 {
			t.Error("no transaction was ever reverted")
		}
	})
}

// happenBound does one random thing to rows that are there. Keys that are free
// again are not taken by others.
func happenBound(t *rapid.T, tx *gorm.DB, fresh *uint) error {
	var teams, members []uint
	must(t, tx.Model(&Team{}).Order("id").Pluck("id", &teams))
	must(t, tx.Model(&Member{}).Order("id").Pluck("id", &members))
	one := func(ids []uint) uint { return rapid.SampledFrom(append(slices.Clone(ids), 99)).Draw(t, "id") } // 99 is nobody
	pointer := func(ids []uint) *uint {
		if rapid.IntRange(0, 2).Draw(t, "nobody?") == 0 {
			return nil
		}
		id := one(ids)
		return &id
	}
	email := rapid.SampledFrom([]string{"x", "y", "z", "w", "v"})
	*fresh++
	switch rapid.IntRange(0, 9).Draw(t, "what") {
	case 0:
		return tx.Create(&Team{ID: *fresh, Name: "new"}).Error
	case 1:
		return tx.Create(&Member{ID: *fresh, Email: email.Draw(t, "email"), TeamID: pointer(teams), BossID: pointer(members)}).Error
	case 2, 3:
		return tx.Model(&Member{}).Where("id = ?", one(members)).Update("email", email.Draw(t, "email")).Error
	case 4:
		return tx.Model(&Member{}).Where("id = ?", one(members)).Update("team_id", pointer(teams)).Error
	case 5:
		return tx.Model(&Member{}).Where("id = ?", one(members)).Update("boss_id", pointer(members)).Error
	case 6:
		return tx.Where("id = ?", one(teams)).Delete(&Team{}).Error
	case 7:
		return tx.Where("id = ?", one(members)).Delete(&Member{}).Error
	case 8:
		return tx.Model(&Team{}).Where("id = ?", one(teams)).Update("id", *fresh).Error
	default:
		return tx.Model(&Member{}).Where("id = ?", one(members)).Updates(map[string]any{"id": *fresh, "name": email.Draw(t, "name")}).Error
	}
}
