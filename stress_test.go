package eventaudit_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/oracle"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/repository"
)

// servers are the databases that several writers change at the same time, in
// each way that capture goes about them.
var servers = []struct {
	name string
	kind testdb.Kind
	open opener
}{
	{"postgres", testdb.Postgres, openPlainly},
	{"mariadb", testdb.MariaDB, openPlainly},
	{"mariadb as mysql", testdb.MariaDB, openWithoutReturning},
}

// drawContention draws what makes writers meet: rows by key and by condition,
// and transactions that lock a few of them in any order.
func drawContention() piece {
	switch rand.IntN(10) {
	case 0, 1, 2:
		return setNote(oneOfWallets())
	case 3, 4, 5:
		return deposit(oneOfWallets())
	case 6:
		return depositWhere("shelf = ?", rand.IntN(shelves))
	case 7:
		return depositWhere("shelf = ? AND amount % 2 = ?", rand.IntN(shelves), rand.IntN(2))
	default:
		var some []piece
		for range 2 + rand.IntN(3) {
			some = append(some, pickPiece(setNote, deposit)(oneOfWallets()))
		}
		return together(some...)
	}
}

func pickPiece(from ...func(uint) piece) func(uint) piece { return from[rand.IntN(len(from))] }

// However many writers meet on a row, its events are one unbroken chain from
// the row as it was created to the row as it is: what one event leaves the
// next one finds.
func TestChainsUnderContention(t *testing.T) {
	t.Parallel()
	for _, server := range servers {
		t.Run(server.name, func(t *testing.T) {
			plain := openForContention(t, testdb.New(t, server.kind), server.open)
			db, audit := use(t, openForContention(t, testdb.New(t, server.kind), server.open))
			without, with := newSide(t, "plain GORM", plain), newSide(t, "with the plugin", db)
			interleave(t, drawContention, without, with)
			t.Logf("throughput with the plugin: %.2f of plain GORM", with.perSecond()/without.perSecond())

			oracle.Check(t, db, audit.Repository(), walletTable)
			changed, err := repository.Count(t.Context(), audit.Repository(), event.Filter{Action: event.ActionChanged})
			if err != nil {
				t.Fatal(err)
			}
			if changed != with.rows.Load() {
				t.Errorf("%d events of %d changed rows", changed, with.rows.Load())
			}
		})
	}
}

// Capture brings no deadlock into a load that has none: rows changed one by
// one, and several at a time in the order of their keys.
func TestNoDeadlockOfItsOwn(t *testing.T) {
	t.Parallel()
	for _, server := range servers {
		t.Run(server.name, func(t *testing.T) {
			withoutDeadlocks(t, drawInOrder, func() *gorm.DB {
				return scanByKey(t, openForContention(t, testdb.New(t, server.kind), server.open))
			})
		})
		t.Run(server.name+", upserts", func(t *testing.T) {
			draw := func() piece { return upsertNotes(someWallets()) }
			withoutDeadlocks(t, draw, func() *gorm.DB {
				return openForContention(t, testdb.New(t, server.kind), server.open)
			})
		})
	}
}

func withoutDeadlocks(t *testing.T, draw func() piece, open func() *gorm.DB) {
	t.Helper()
	db, _ := use(t, open())
	sides := []*side{newSide(t, "plain GORM", open()), newSide(t, "with the plugin", db)}
	interleave(t, draw, sides...)
	for _, s := range sides {
		if s.deadlocks.Load() > 0 || s.timeouts.Load() > 0 {
			t.Errorf("%s", s)
		}
	}
}

// drawInOrder draws what cannot deadlock, because rows are locked in the order
// of their keys.
func drawInOrder() piece {
	ids := someWallets()
	switch rand.IntN(7) {
	case 0, 1:
		return setNote(ids[0])
	case 2, 3:
		return deposit(ids[0])
	case 4:
		return depositWhere("id BETWEEN ? AND ?", ids[0], ids[0]+10)
	case 5:
		return upsertNotes(ids)
	default:
		var some []piece
		for _, id := range ids {
			some = append(some, pickPiece(setNote, deposit)(id))
		}
		return together(some...)
	}
}

// someWallets draws ids in order.
func someWallets() []uint {
	var ids []uint
	for range 2 + rand.IntN(6) {
		ids = append(ids, oneOfWallets())
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
