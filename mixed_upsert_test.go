package eventaudit_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/oracle"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

type Cart struct {
	ID    uint
	Lines []CartLine
}

type CartLine struct {
	ID     uint
	CartID uint
	Qty    int
}

// likeMySQL opens MariaDB as GORM does by itself, or as it does MySQL.
func likeMySQL(t *testing.T, returning bool) *gorm.DB {
	t.Helper()
	d := testdb.New(t, testdb.MariaDB)
	if !returning {
		return withoutReturning(t, d)
	}
	prepare(t, d)
	return d.Open(t)
}

// GORM writes old and new lines by one upsert, of which only the old ones
// bring their keys.
func TestSaveOldAndNewLines(t *testing.T) {
	t.Parallel()
	for _, returning := range []bool{true, false} {
		name := map[bool]string{true: "returning", false: "without returning"}[returning]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := likeMySQL(t, returning)
			if err := db.AutoMigrate(&Cart{}, &CartLine{}); err != nil {
				t.Fatal(err)
			}
			db, audit := use(t, db)
			cart := Cart{Lines: []CartLine{{Qty: 1}, {Qty: 2}}}
			must(t, db.Create(&cart))
			cart.Lines = append([]CartLine{{Qty: 3}}, append(cart.Lines, CartLine{Qty: 4})...)
			must(t, db.Save(&cart))
			if err := db.Model(&cart).Association("Lines").Append(&CartLine{Qty: 5}); err != nil {
				t.Error(err)
			}
			lines := []CartLine{{CartID: 1, Qty: 6}, {ID: 1, CartID: 1, Qty: 7}, {CartID: 1, Qty: 8}, {ID: 2, CartID: 1, Qty: 9}, {CartID: 1, Qty: 10}}
			must(t, db.Save(&lines))
			var quantities []int
			must(t, db.Model(&CartLine{}).Order("qty").Pluck("qty", &quantities))
			if diff := cmp.Diff([]int{3, 4, 5, 6, 7, 8, 9, 10}, quantities); diff != "" {
				t.Error(diff)
			}
			created := map[string]bool{}
			for _, e := range trail(t, audit, event.Filter{ActionObject: "CartLine", Action: event.ActionCreated}) {
				created[e.ActionObjectID] = true
			}
			if len(created) != 8 {
				t.Errorf("%d lines were created: %v", len(created), created)
			}
			oracle.Check(t, db, audit.Repository(), oracle.Table{Object: "CartLine", Name: "cart_lines", Keys: []string{"id"}})
			// Its own number may lie among those that are assigned; then nobody can tell.
			odd := []CartLine{{CartID: 1, Qty: 11}, {ID: 40, CartID: 1, Qty: 12}, {CartID: 1, Qty: 13}, {ID: 1, CartID: 1, Qty: 14}}
			if err := db.Save(&odd).Error; err != nil {
				t.Log(err)
			}
			oracle.Check(t, db, audit.Repository(), oracle.Table{Object: "CartLine", Name: "cart_lines", Keys: []string{"id"}})
		})
	}
}
