package eventaudit_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

// Nulls are equal to nothing: rows whose key is null, which SQLite allows, are
// never taken for each other.
func TestRowsWithNullKeys(t *testing.T) {
	t.Parallel()
	const table = "CREATE TABLE seats (name varchar(20) PRIMARY KEY, seat integer UNIQUE, n integer)"
	null := func(seat, n any) map[string]any { return map[string]any{"name": nil, "seat": seat, "n": n} }
	up := func(column string, set ...string) clause.OnConflict {
		return clause.OnConflict{Columns: []clause.Column{{Name: column}}, DoUpdates: clause.AssignmentColumns(set)}
	}
	for name, test := range map[string]struct {
		create []string
		given  []map[string]any
		run    func(db *gorm.DB) *gorm.DB
		want   []string
		// refused is what its error says.
		refused string
	}{
		"upsert by a unique column of a table without key": {
			create: []string{"CREATE TABLE seats (name varchar(20) UNIQUE, seat integer, n integer)"},
			given:  []map[string]any{null(1, 1)},
			run: func(db *gorm.DB) *gorm.DB {
				return db.Clauses(up("name", "n")).Create([]map[string]any{null(2, 2), null(3, 3), {"name": "a", "seat": 4, "n": 4}, {"name": "a", "seat": 5, "n": 5}})
			},
			want: []string{
				`created null {"new":{"name":null,"seat":2,"n":2}}`, `created null {"new":{"name":null,"seat":3,"n":3}}`,
				`created a {"new":{"name":"a","seat":4,"n":4}}`, `changed a {"old":{"n":4},"new":{"n":5}}`,
			},
		},
		"upsert by the key": {
			given: []map[string]any{null(1, 1)},
			run: func(db *gorm.DB) *gorm.DB {
				return db.Clauses(up("name", "n")).Create([]map[string]any{null(2, 2), null(3, 3)})
			},
			want: []string{`created null {"new":{"name":null,"seat":2,"n":2}}`, `created null {"new":{"name":null,"seat":3,"n":3}}`},
		},
		"upsert by another column": {
			given: []map[string]any{null(1, 1), null(2, 2)},
			run: func(db *gorm.DB) *gorm.DB {
				return db.Clauses(up("seat", "n")).Create([]map[string]any{null(2, 3), null(1, 4), null(4, 5), null(1, 6)})
			},
			want: []string{
				`changed null {"old":{"n":2},"new":{"n":3}}`, `changed null {"old":{"n":1},"new":{"n":4}}`,
				`created null {"new":{"name":null,"seat":4,"n":5}}`, `changed null {"old":{"n":4},"new":{"n":6}}`,
			},
		},
		"upsert by any": {
			given: []map[string]any{null(1, 1)},
			run: func(db *gorm.DB) *gorm.DB {
				return db.Clauses(clause.OnConflict{DoUpdates: clause.AssignmentColumns([]string{"n"})}).Create([]map[string]any{null(1, 3)})
			},
			refused: "name the conflict target",
		},
		"update of one": {
			given: []map[string]any{null(1, 1), {"name": "a", "seat": 2, "n": 2}},
			run:   func(db *gorm.DB) *gorm.DB { return db.Where("1 = 1").Update("n", gorm.Expr("n + 1")) },
			want:  []string{`changed null {"old":{"n":1},"new":{"n":2}}`, `changed a {"old":{"n":2},"new":{"n":3}}`},
		},
		"update of several": {
			given: []map[string]any{null(1, 1), null(2, 2), {"name": "a", "seat": 3, "n": 3}},
			run:   func(db *gorm.DB) *gorm.DB { return db.Where("1 = 1").Update("n", gorm.Expr("max(n, 2)")) },
			want:  []string{`deleted null {"old":{"name":null,"seat":1,"n":1}}`, `created null {"new":{"name":null,"seat":1,"n":2}}`},
		},
		"update that gives it": {
			given: []map[string]any{null(1, 1), null(2, 2)},
			run:   func(db *gorm.DB) *gorm.DB { return db.Where("seat = 2").Update("name", "a") },
			want:  []string{`changed null {"old":{"name":null},"new":{"name":"a"}}`},
		},
		"update that takes it away": {
			given: []map[string]any{{"name": "a", "seat": 1, "n": 1}, {"name": "b", "seat": 2, "n": 2}},
			run:   func(db *gorm.DB) *gorm.DB { return db.Where("1 = 1").Update("name", nil) },
			want: []string{
				`deleted a {"old":{"name":"a","seat":1,"n":1}}`, `deleted b {"old":{"name":"b","seat":2,"n":2}}`,
				`created null {"new":{"name":null,"seat":1,"n":1}}`, `created null {"new":{"name":null,"seat":2,"n":2}}`,
			},
		},
		"update that leaves some": {
			given: []map[string]any{null(1, 1), null(2, 2)},
			run: func(db *gorm.DB) *gorm.DB {
				return db.Clauses(clause.Update{Modifier: "OR IGNORE"}).Where("1 = 1").Update("seat", 2)
			},
			refused: "key is null",
		},
		"update of a table without key that leaves some": {
			create: []string{"CREATE TABLE seats (name varchar(20), seat integer UNIQUE, n integer)"},
			given:  []map[string]any{null(1, 1), null(2, 2)},
			run: func(db *gorm.DB) *gorm.DB {
				return db.Clauses(clause.Update{Modifier: "OR IGNORE"}).Where("1 = 1").Update("seat", 2)
			},
			refused: "left alone",
		},
		"insert with a trigger": {
			create:  []string{table, "CREATE TRIGGER x AFTER INSERT ON seats BEGIN UPDATE seats SET n = 100 WHERE seat = NEW.seat; END"},
			run:     func(db *gorm.DB) *gorm.DB { return db.Create(null(1, 1)) },
			refused: "key is null",
		},
		"delete with a trigger": {
			create:  []string{table, "CREATE TRIGGER x AFTER DELETE ON seats BEGIN INSERT INTO seats VALUES (OLD.name, OLD.seat, OLD.n + 1); END"},
			given:   []map[string]any{null(1, 1)},
			run:     func(db *gorm.DB) *gorm.DB { return db.Where("1 = 1").Delete(nil) },
			refused: "key is null",
		},
		"update whose trigger takes it away": {
			create:  []string{table, "CREATE TRIGGER x AFTER UPDATE ON seats WHEN NEW.n = 5 BEGIN UPDATE seats SET name = NULL WHERE seat = NEW.seat; END"},
			given:   []map[string]any{null(1, 1), {"name": "a", "seat": 2, "n": 2}},
			run:     func(db *gorm.DB) *gorm.DB { return db.Where("name = 'a'").Update("n", 5) },
			refused: "key is null",
		},
		"update that gives several the same": {
			given: []map[string]any{null(1, 1), null(2, 2)},
			run: func(db *gorm.DB) *gorm.DB {
				return db.Clauses(clause.Update{Modifier: "OR IGNORE"}).Where("1 = 1").Update("name", "a")
			},
			refused: "left alone",
		},
		"update that gives it one that is taken": {
			given: []map[string]any{null(1, 1), {"name": "a", "seat": 2, "n": 2}},
			run: func(db *gorm.DB) *gorm.DB {
				return db.Clauses(clause.Update{Modifier: "OR IGNORE"}).Where("seat = 1").Update("name", "a")
			},
			refused: "key is null",
		},
		"update that moves several to the same": {
			given: []map[string]any{{"name": "a", "seat": 1, "n": 1}, {"name": "b", "seat": 2, "n": 2}},
			run: func(db *gorm.DB) *gorm.DB {
				return db.Clauses(clause.Update{Modifier: "OR IGNORE"}).Where("1 = 1").Update("name", "z")
			},
			refused: "left alone",
		},
		"upsert that leaves it": {
			given: []map[string]any{null(1, 1)},
			run: func(db *gorm.DB) *gorm.DB {
				keep := up("seat", "name", "n")
				keep.Where = clause.Where{Exprs: []clause.Expression{gorm.Expr("seats.n > 100")}}
				return db.Clauses(keep).Create([]map[string]any{{"name": "q", "seat": 1, "n": 3}, {"name": "r", "seat": 9, "n": 3}})
			},
			want: []string{`created r {"new":{"name":"r","seat":9,"n":3}}`},
		},
		"upsert by a default": {
			create: []string{"CREATE TABLE seats (name varchar(20) PRIMARY KEY, seat integer DEFAULT 1 UNIQUE, n integer)"},
			given:  []map[string]any{null(1, 1)},
			run: func(db *gorm.DB) *gorm.DB {
				return db.Clauses(up("seat", "n")).Create(map[string]any{"name": nil, "n": 3})
			},
			refused: "key is null",
		},
		"upsert by texts with zeros in them": {
			given: []map[string]any{{"name": "a\x00b", "seat": 1, "n": 1}},
			run: func(db *gorm.DB) *gorm.DB {
				return db.Clauses(up("name", "n")).Create([]map[string]any{{"name": "a\x00b", "seat": 1, "n": 3}, {"name": "a\x00c", "seat": 2, "n": 4}})
			},
			want: []string{`changed a` + "\x00" + `b {"old":{"n":1},"new":{"n":3}}`, `created a` + "\x00" + `c {"new":{"name":"a\u0000c","seat":2,"n":4}}`},
		},
		"upsert while a trigger alters what it conflicts on": {
			create: []string{table, "CREATE TRIGGER x AFTER UPDATE ON seats WHEN NEW.seat < 100 BEGIN UPDATE seats SET seat = seat + 100 WHERE name = NEW.name; END"},
			given:  []map[string]any{{"name": "a", "seat": 1, "n": 1}},
			run: func(db *gorm.DB) *gorm.DB {
				return db.Clauses(up("seat", "n")).Create([]map[string]any{{"name": "c", "seat": 1, "n": 3}, {"name": "d", "seat": 1, "n": 4}})
			},
			want: []string{`changed a {"old":{"seat":1,"n":1},"new":{"seat":101,"n":3}}`, `created d {"new":{"name":"d","seat":1,"n":4}}`},
		},
		"upsert by a generated column": {
			create: []string{"CREATE TABLE seats (name varchar(20) PRIMARY KEY, seat integer, n integer, g integer AS (seat % 10) STORED)", "CREATE UNIQUE INDEX i ON seats (g)"},
			run: func(db *gorm.DB) *gorm.DB {
				plus := clause.OnConflict{Columns: []clause.Column{{Name: "g"}}, DoUpdates: assign("seat", gorm.Expr("seats.seat + 4"))}
				return db.Clauses(plus).Create([]map[string]any{{"name": "z", "seat": 3, "n": 3}, {"name": "w", "seat": 13, "n": 4}, {"name": "y", "seat": 3, "n": 5}})
			},
			want: []string{
				`created z {"new":{"name":"z","seat":3,"n":3,"g":3}}`, `changed z {"old":{"seat":3,"g":3},"new":{"seat":7,"g":7}}`,
				`created y {"new":{"name":"y","seat":3,"n":5,"g":3}}`,
			},
		},
		"upsert by a column in another case": {
			given: []map[string]any{{"name": "a", "seat": 1, "n": 1}},
			run: func(db *gorm.DB) *gorm.DB {
				plus := clause.OnConflict{Columns: []clause.Column{{Name: "SEAT"}}, DoUpdates: assign("seat", gorm.Expr("seats.seat + 10"))}
				return db.Clauses(plus).Create([]map[string]any{{"name": "c", "seat": 1, "n": 3}, {"name": "d", "seat": 1, "n": 4}})
			},
			want: []string{`changed a {"old":{"seat":1},"new":{"seat":11}}`, `created d {"new":{"name":"d","seat":1,"n":4}}`},
		},
		"replace of what it inserted": {
			run: func(db *gorm.DB) *gorm.DB {
				return db.Clauses(clause.Insert{Modifier: "OR REPLACE"}).Create([]map[string]any{{"name": "a", "seat": 7, "n": 1}, {"name": "b", "seat": 7, "n": 2}})
			},
			want: []string{`created b {"new":{"name":"b","seat":7,"n":2}}`},
		},
		"update with a trigger": {
			create:  []string{table, "CREATE TRIGGER x AFTER INSERT ON seats BEGIN SELECT 1; END"},
			given:   []map[string]any{null(1, 1)},
			run:     func(db *gorm.DB) *gorm.DB { return db.Where("1 = 1").Update("n", 5) },
			refused: "key is null",
		},
		"insert while a trigger may move keys": {
			create: []string{table, "CREATE TRIGGER x AFTER INSERT ON seats WHEN NEW.name = 'x' BEGIN UPDATE seats SET name = 'y' WHERE name = 'x'; END"},
			given:  []map[string]any{null(1, 1)},
			run:    func(db *gorm.DB) *gorm.DB { return db.Create(map[string]any{"name": "a", "seat": 2, "n": 2}) },
			want:   []string{`created a {"new":{"name":"a","seat":2,"n":2}}`},
		},
		"replace": {
			given: []map[string]any{{"name": "a", "seat": 1, "n": 1}},
			run: func(db *gorm.DB) *gorm.DB {
				return db.Clauses(clause.Insert{Modifier: "OR REPLACE"}).Create(null(1, 2))
			},
			want: []string{`deleted a {"old":{"name":"a","seat":1,"n":1}}`, `created null {"new":{"name":null,"seat":1,"n":2}}`},
		},
		"replace by several": {
			run: func(db *gorm.DB) *gorm.DB {
				return db.Clauses(clause.Insert{Modifier: "OR REPLACE"}).Create([]map[string]any{null(1, 2), null(1, 3)})
			},
			refused: "key is null",
		},
		"replace of one": {
			given: []map[string]any{null(1, 1)},
			run: func(db *gorm.DB) *gorm.DB {
				return db.Clauses(clause.Insert{Modifier: "OR REPLACE"}).Create(map[string]any{"name": "a", "seat": 1, "n": 2})
			},
			refused: "key is null",
		},
		"delete": {
			given: []map[string]any{null(1, 1), null(2, 2)},
			run:   func(db *gorm.DB) *gorm.DB { return db.Where("1 = 1").Delete(nil) },
			want:  []string{`deleted null {"old":{"name":null,"seat":1,"n":1}}`, `deleted null {"old":{"name":null,"seat":2,"n":2}}`},
		},
	} {
		for _, kind := range onSQLite {
			t.Run(name+"/"+string(kind), func(t *testing.T) {
				t.Parallel()
				db := prepare(t, testdb.New(t, kind))
				if test.create == nil {
					ddl(t, db, table)
				}
				ddl(t, db, test.create...)
				if test.given != nil {
					must(t, db.Table("seats").Create(copies(test.given)))
				}
				seats := func() (rows []map[string]any) {
					must(t, db.Table("seats").Order("seat, n").Find(&rows))
					return rows
				}
				before := seats()
				db, audit := use(t, db)
				err := test.run(db.Table("seats")).Error
				if test.refused != "" {
					if err == nil || !strings.Contains(err.Error(), test.refused) {
						t.Errorf("err = %v, want one that says %q", err, test.refused)
					}
					if diff := cmp.Diff(before, seats()); diff != "" {
						t.Errorf("it left something behind: %s", diff)
					}
				} else if err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, e := range trail(t, audit, event.Filter{}) {
					got = append(got, e.Action+" "+e.ActionObjectID+" "+string(e.Result))
				}
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}
