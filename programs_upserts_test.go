package eventaudit_test

import (
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"pgregory.net/rapid"

	"github.com/eventaudit/eventaudit/internal/oracle"
)

// Seat has several unique indexes: over an expression and a part of the rows
// where the database has such, otherwise over the columns.
type Seat struct {
	ID   uint
	Name string `gorm:"size:20"`
	Spot int
	N    int
}

// Label has a key that is the same in upper and lower case, and another
// unique column.
type Label struct {
	Name string `gorm:"primaryKey;size:20"`
	Spot int    `gorm:"uniqueIndex"`
	N    int
}

var upsertTables = []oracle.Table{
	{Object: "Seat", Name: "seats", Keys: []string{"id"}},
	{Object: "Label", Name: "labels", Keys: []string{"name"}},
}

// indexesByDatabase make what AutoMigrate cannot.
var indexesByDatabase = map[string][]string{
	"postgres": {
		"CREATE UNIQUE INDEX seat_name ON seats (lower(name))",
		"CREATE UNIQUE INDEX seat_spot ON seats (spot) WHERE n < 2",
	},
	"sqlite": {
		"CREATE UNIQUE INDEX seat_name ON seats (lower(name))",
		"CREATE UNIQUE INDEX seat_spot ON seats (spot) WHERE n < 2",
		"DROP TABLE labels",
		"CREATE TABLE labels (name text COLLATE NOCASE PRIMARY KEY, spot integer UNIQUE, n integer)",
	},
	"mysql": {
		"CREATE UNIQUE INDEX seat_name ON seats (name)",
		"CREATE UNIQUE INDEX seat_spot ON seats (spot)",
		"ALTER TABLE labels MODIFY name varchar(20) COLLATE utf8mb4_general_ci",
	},
}

var drawLabel = rapid.SampledFrom([]string{"ann", "ANN", "Bob", "bob", "Cid"})

func drawSeat(t *rapid.T) Seat {
	return Seat{
		rapid.UintRange(0, 5).Draw(t, "id"), drawLabel.Draw(t, "name"),
		rapid.IntRange(0, 4).Draw(t, "spot"), drawAmount.Draw(t, "n"),
	}
}

func drawLabelRow(t *rapid.T) Label {
	return Label{drawLabel.Draw(t, "name"), rapid.IntRange(0, 4).Draw(t, "spot"), drawAmount.Draw(t, "n")}
}

// drawConflict draws what an upsert of seats conflicts on and what it does then.
func drawConflict(t *rapid.T) clause.OnConflict {
	type goal struct {
		columns []clause.Column
		where   clause.Where
	}
	to := pick(t, "target", []goal{
		{},
		{columns: conflicts("id")},
		{columns: conflicts("lower(name)")},
		{columns: conflicts("spot"), where: clause.Where{Exprs: []clause.Expression{gorm.Expr("n < 2")}}},
	})
	up := pick(t, "then", []clause.OnConflict{
		{DoNothing: true},
		{UpdateAll: true},
		{DoUpdates: brought("n")},
		{DoUpdates: brought("name", "spot")},
		{DoUpdates: brought("id", "n")},
		{DoUpdates: assign("id", gorm.Expr("seats.id + 10"))},
		{DoUpdates: assign("n", gorm.Expr("seats.n + 1"))},
		{DoUpdates: brought("n"), Where: clause.Where{Exprs: []clause.Expression{gorm.Expr("seats.n < 2")}}},
	})
	up.Columns, up.TargetWhere = to.columns, to.where
	return up
}

// assignsIDUnnamed is the upsert that docs/not-captured.md says is refused on
// SQLite: it assigns the key and names no target.
func assignsIDUnnamed(db *gorm.DB, up clause.OnConflict) bool {
	return db.Name() == "sqlite" && len(up.Columns) == 0 && len(up.DoUpdates) > 0 && up.DoUpdates[0].Column.Name == "id"
}

// upsertSeats is an upsert of what is drawn, by what is drawn.
func upsertSeats[T any](name string, draw func(t *rapid.T) T) operation {
	return operation{name, func(t *rapid.T) act {
		value, up := draw(t), drawConflict(t)
		return func(db *gorm.DB) result {
			if assignsIDUnnamed(db, up) {
				return result{}
			}
			value := fresh(value)
			return did(db.Clauses(up).Create(&value), value)
		}
	}}
}

// fresh copies the rows of a slice, because GORM writes to them.
func fresh[T any](value T) T {
	if rows, ok := any(value).([]Seat); ok {
		copied, _ := any(append([]Seat(nil), rows...)).(T)
		return copied
	}
	return value
}

var oddUpsertOperations = []operation{
	one("create seat", drawSeat, create),
	upsertSeats("upsert seat", drawSeat),
	upsertSeats("upsert seats", func(t *rapid.T) []Seat { return rapid.SliceOfN(rapid.Custom(drawSeat), 2, 3).Draw(t, "seats") }),
	{"upsert seats by maps", func(t *rapid.T) act {
		rows, up := rapid.SliceOfN(rapid.Custom(drawSeat), 1, 3).Draw(t, "seats"), drawConflict(t)
		return func(db *gorm.DB) result {
			if assignsIDUnnamed(db, up) {
				return result{}
			}
			var values []map[string]any
			for _, s := range rows {
				values = append(values, map[string]any{"id": s.ID + 1, "name": s.Name, "spot": s.Spot, "n": s.N})
			}
			return did(db.Model(&Seat{}).Clauses(up).Create(&values))
		}
	}},
	one("save seat", drawSeat, save),
	one("update seats", drawSeat, func(db *gorm.DB, s *Seat) *gorm.DB {
		return db.Model(&Seat{}).Where("lower(name) = lower(?)", s.Name).Updates(map[string]any{"spot": s.Spot, "n": s.N})
	}),
	by("delete seats", drawAmount, func(db *gorm.DB, n int) *gorm.DB { return db.Where("n = ?", n).Delete(&Seat{}) }),
	one("create label", drawLabelRow, create),
	some("upsert labels or nothing", drawLabelRow, on[[]Label](nothing)),
	some("upsert everything of labels", drawLabelRow, on[[]Label](everything)),
	some("upsert labels and their names", drawLabelRow, on[[]Label](clause.OnConflict{
		Columns: conflicts("name"), DoUpdates: brought("name", "n"),
	})),
	some("upsert labels by spot", drawLabelRow, on[[]Label](clause.OnConflict{
		Columns: conflicts("spot"), DoUpdates: brought("name", "n"),
	})),
	some("save labels", drawLabelRow, save),
	one("save label", drawLabelRow, save),
	{"rename label", func(t *rapid.T) act {
		from, to := drawLabel.Draw(t, "from"), drawLabel.Draw(t, "to")
		return func(db *gorm.DB) result { return did(db.Model(&Label{}).Where("name = ?", from).Update("name", to)) }
	}},
	one("delete label", drawLabelRow, func(db *gorm.DB, l *Label) *gorm.DB { return db.Delete(l) }),
}
