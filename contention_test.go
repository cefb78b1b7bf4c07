package eventaudit_test

import (
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	drivermysql "github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/eventaudit/eventaudit/internal/oracle"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

// stressVariable says for how long each side of a contention test works on
// each database, for example 1m; without it a few hundred pieces of work are
// enough.
const stressVariable = "EVENT_AUDIT_TEST_STRESS"

// Wallet is a row that many want to change at once.
type Wallet struct {
	ID     uint `gorm:"primaryKey;autoIncrement:false"`
	Shelf  int
	Amount int64
	Note   string `gorm:"size:64"`
}

const (
	wallets    = 50
	shelves    = 5
	contenders = 16
)

var walletTable = oracle.Table{Object: "Wallet", Name: "wallets", Keys: []string{"id"}}

// side is a database under contention, with or without the plugin.
type side struct {
	name string
	db   *gorm.DB
	pool *sql.DB
	// rows counts what the app was told that it changed, in what committed.
	pieces, rows                        atomic.Int64
	deadlocks, serializations, timeouts atomic.Int64
	worked                              time.Duration
}

// newSide creates the wallets.
func newSide(t *testing.T, name string, db *gorm.DB) *side {
	t.Helper()
	pool, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	pool.SetMaxOpenConns(contenders)
	pool.SetMaxIdleConns(0)
	rows := make([]Wallet, wallets)
	for i := range rows {
		rows[i] = Wallet{ID: uint(i + 1), Shelf: i % shelves, Amount: int64(100 * i)}
	}
	must(t, db.Create(&rows))
	return &side{name: name, db: db, pool: pool}
}

// piece is some work of an app that either commits or leaves nothing. It
// returns how many rows it changed.
type piece func(db *gorm.DB) (rows int64, err error)

// contend has every contender do drawn pieces until the limit says stop.
func (s *side) contend(t *testing.T, draw func() piece, limit func() (more func() bool)) {
	t.Helper()
	s.pool.SetMaxIdleConns(contenders)
	defer s.pool.SetMaxIdleConns(0) // servers take a hundred connections
	more := limit()
	var group sync.WaitGroup
	start := time.Now()
	for range contenders {
		group.Go(func() {
			for more() && !t.Failed() {
				if err := s.insist(draw()); err != nil {
					t.Errorf("%s: %v", s.name, err)
				}
			}
		})
	}
	group.Wait()
	s.worked += time.Since(start)
}

// insist does it again after a conflict with another transaction, as apps must.
func (s *side) insist(do piece) error {
	for {
		rows, err := do(s.db)
		if err == nil {
			s.pieces.Add(1)
			s.rows.Add(rows)
			return nil
		}
		if !s.counts(err) {
			return err
		}
	}
}

// counts counts a conflict that is mended by another try.
func (s *side) counts(err error) bool {
	var postgres *pgconn.PgError
	var mysql *drivermysql.MySQLError
	switch {
	case errors.As(err, &postgres) && postgres.Code == "40P01", errors.As(err, &mysql) && mysql.Number == 1213:
		s.deadlocks.Add(1)
	case errors.As(err, &postgres) && postgres.Code == "40001":
		s.serializations.Add(1)
	case errors.As(err, &mysql) && mysql.Number == 1205:
		s.timeouts.Add(1)
	default:
		return false
	}
	return true
}

// perSecond is the throughput.
func (s *side) perSecond() float64 { return float64(s.pieces.Load()) / s.worked.Seconds() }

func (s *side) String() string {
	return fmt.Sprintf("%s: %d pieces, %.0f per second, %d rows changed, %d deadlocks, %d serialization failures, %d lock timeouts",
		s.name, s.pieces.Load(), s.perSecond(), s.rows.Load(), s.deadlocks.Load(), s.serializations.Load(), s.timeouts.Load())
}

// interleave has the sides work in turn, in slices, so that what else the
// machine does meets both alike.
func interleave(t *testing.T, draw func() piece, sides ...*side) {
	t.Helper()
	slices, limit := 2, byCount(150)
	if text := os.Getenv(stressVariable); text != "" {
		each, err := time.ParseDuration(text)
		if err != nil {
			t.Fatalf("%s is not a duration: %v", stressVariable, err)
		}
		slices = 20
		limit = byTime(each / time.Duration(slices))
	}
	for slice := range slices {
		for i := range sides {
			sides[(i+slice)%len(sides)].contend(t, draw, limit)
		}
	}
	for _, s := range sides {
		t.Log(s)
	}
}

func byCount(pieces int64) func() func() bool {
	return func() func() bool {
		var begun atomic.Int64
		return func() bool { return begun.Add(1) <= pieces }
	}
}

func byTime(each time.Duration) func() func() bool {
	return func() func() bool {
		end := time.Now().Add(each)
		return func() bool { return time.Now().Before(end) }
	}
}

// The pieces.

var notes atomic.Int64

func oneOfWallets() uint { return 1 + rand.UintN(wallets) }

func done(tx *gorm.DB) (int64, error) { return tx.RowsAffected, tx.Error }

// setNote changes a wallet by key to what it never was.
func setNote(id uint) piece {
	note := fmt.Sprintf("note %d", notes.Add(1))
	return func(db *gorm.DB) (int64, error) { return done(db.Model(&Wallet{ID: id}).Update("note", note)) }
}

// deposit changes a wallet by key and by what it holds.
func deposit(id uint) piece {
	more := 1 + rand.Int64N(9)
	return func(db *gorm.DB) (int64, error) {
		return done(db.Model(&Wallet{}).Where("id = ?", id).Update("amount", gorm.Expr("amount + ?", more)))
	}
}

// depositWhere changes several wallets.
func depositWhere(condition string, args ...any) piece {
	return func(db *gorm.DB) (int64, error) {
		return done(db.Model(&Wallet{}).Where(condition, args...).Updates(map[string]any{"amount": gorm.Expr("amount + 1"), "note": "many"}))
	}
}

// upsertNotes writes wallets that are there already, in this order.
func upsertNotes(ids []uint) piece {
	note := fmt.Sprintf("note %d", notes.Add(1))
	return func(db *gorm.DB) (int64, error) {
		var rows []Wallet
		for _, id := range ids {
			rows = append(rows, Wallet{ID: id, Note: note})
		}
		return done(db.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "id"}}, DoUpdates: clause.AssignmentColumns([]string{"note"})}).Create(&rows))
	}
}

// together does some pieces in one transaction, at one of two isolation levels.
func together(some ...piece) piece {
	level := sql.LevelReadCommitted
	if rand.IntN(2) == 0 {
		level = sql.LevelRepeatableRead
	}
	return func(db *gorm.DB) (rows int64, err error) {
		err = db.Transaction(func(tx *gorm.DB) error {
			rows = 0
			for _, do := range some {
				n, err := do(tx)
				if err != nil {
					return err
				}
				rows += n
			}
			return nil
		}, &sql.TxOptions{Isolation: level})
		return rows, err
	}
}

// openForContention is a database with the table of wallets.
func openForContention(t *testing.T, d *testdb.Database, open opener) *gorm.DB {
	t.Helper()
	if err := prepare(t, d).AutoMigrate(&Wallet{}); err != nil {
		t.Fatal(err)
	}
	return open(t, d, &gorm.Config{})
}

// scanByKey has PostgreSQL find rows by the index of their key, in its order.
// On a table this small it would go by their places, which change with every
// update, and lock them in an order of chance.
func scanByKey(t *testing.T, db *gorm.DB) *gorm.DB {
	t.Helper()
	if db.Name() != "postgres" {
		return db
	}
	name := db.Statement.Quote(db.Migrator().CurrentDatabase())
	for _, scan := range []string{"seqscan", "bitmapscan"} {
		must(t, db.Exec("ALTER DATABASE "+name+" SET enable_"+scan+" = off"))
	}
	pool, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	pool.SetMaxIdleConns(0) // connections learn of it when they begin
	return db
}
