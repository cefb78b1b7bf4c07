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
			create: []string{table, "CREATE TRIGGER x AFTER INSERT ON seats BEGIN SELECT 1; END"},
			run:    func(db *gorm.DB) *gorm.DB { return db.Create([]map[string]any{null(1, 1), null(2, 2)}) },
			want:   []string{`created null {"new":{"name":null,"seat":1,"n":1}}`, `created null {"new":{"name":null,"seat":2,"n":2}}`},
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
				return db.Clauses(clause.Insert{Modifier: "OR REPLACE"}).Create([]map[string]any{null(1, 2), null(2, 3)})
			},
			want: []string{
				`deleted a {"old":{"name":"a","seat":1,"n":1}}`,
				`created null {"new":{"name":null,"seat":1,"n":2}}`, `created null {"new":{"name":null,"seat":2,"n":3}}`,
			},
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
