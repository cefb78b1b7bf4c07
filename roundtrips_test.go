package eventaudit_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	drivermysql "github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/connpool"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/migrate"
	"github.com/eventaudit/eventaudit/pgpipe"
)

// Dossier has a dozen columns, as tables of apps have.
type Dossier struct {
	gorm.Model
	Name, Email, Status string
	Age                 int `gorm:"index"`
	Balance             float64
	Active              bool
	LastLogin           time.Time
	Settings            string
}

func dossiers(n int) []Dossier {
	rows := make([]Dossier, n)
	for i := range rows {
		rows[i] = Dossier{
			Name: "Erika Mustermann", Email: "erika@example.org", Status: "active", Age: 20 + i%60, Balance: 1234.56, Active: true,
			LastLogin: time.Date(2026, 3, 2, 10, 30, 0, 0, time.UTC), Settings: `{"theme":"dark","language":"de"}`,
		}
	}
	return rows
}

// costed are operations whose cost is promised. Each has a row of its own.
var costed = []struct {
	name string
	run  func(db *gorm.DB, row *Dossier) error
}{
	{"create", func(db *gorm.DB, _ *Dossier) error { return db.Create(&dossiers(1)[0]).Error }},
	{"update", func(db *gorm.DB, row *Dossier) error {
		return db.Model(row).Updates(map[string]any{"status": "closed", "balance": row.Balance + 1}).Error
	}},
	{"delete", func(db *gorm.DB, row *Dossier) error { return db.Delete(row).Error }},
	{"delete for good", func(db *gorm.DB, row *Dossier) error { return db.Unscoped().Delete(row).Error }},
	{"ten in a transaction", func(db *gorm.DB, row *Dossier) error {
		return db.Transaction(func(tx *gorm.DB) error {
			for i := range 10 {
				if err := tx.Model(row).Update("balance", row.Balance+float64(i)+1).Error; err != nil {
					return err
				}
			}
			return nil
		})
	}},
	{"create 100", func(db *gorm.DB, _ *Dossier) error { rows := dossiers(100); return db.Create(&rows).Error }},
	{"a transaction without effect", func(db *gorm.DB, _ *Dossier) error {
		return db.Transaction(func(*gorm.DB) error { return nil })
	}},
}

// costs returns what each operation counts when its statements are known to
// the driver and the server. The database is migrated.
func costs(t *testing.T, db *gorm.DB, counter *atomic.Int64) (counts []int64) {
	t.Helper()
	if err := db.AutoMigrate(&Dossier{}); err != nil {
		t.Fatal(err)
	}
	for _, operation := range costed {
		var n int64
		for range 7 {
			row := dossiers(1)[0]
			must(t, db.Create(&row))
			counter.Store(0)
			if err := operation.run(db, &row); err != nil {
				t.Fatal(err)
			}
			n = counter.Load()
		}
		counts = append(counts, n)
	}
	return counts
}

// wantCosts compares what plain GORM and an audited one count.
func wantCosts(t *testing.T, open func(t *testing.T) (*gorm.DB, *atomic.Int64), want map[bool][]int64) {
	t.Helper()
	for _, audited := range []bool{false, true} {
		db, counter := open(t)
		if err := migrate.Up(db); err != nil {
			t.Fatal(err)
		}
		if audited {
			use(t, db)
		}
		for i, n := range costs(t, db, counter) {
			if n != want[audited][i] {
				t.Errorf("audited %v, %s: %d, want %d", audited, costed[i].name, n, want[audited][i])
			}
		}
	}
}

// countedConn counts what is written to the network.
type countedConn struct {
	net.Conn
	counts func(b []byte) bool
	writes *atomic.Int64
}

func (c countedConn) Write(b []byte) (int, error) {
	if c.counts(b) {
		c.writes.Add(1)
	}
	return c.Conn.Write(b)
}

// A write to the network is a round trip to PostgreSQL.
func TestRoundTripsToPostgres(t *testing.T) {
	t.Parallel()
	if pgpipe.Deferred != connpool.Deferred {
		t.Errorf("pgpipe defers what begins with %s, the INSERT of events begins with %s", pgpipe.Deferred, connpool.Deferred)
	}
	if pgpipe.Ahead != connpool.Ahead {
		t.Errorf("pgpipe sends first what begins with %s, statements begin with %s", pgpipe.Ahead, connpool.Ahead)
	}
	for name, want := range map[string]map[bool][]int64{
		"plain":  {false: {3, 3, 3, 3, 12, 3, 2}, true: {4, 4, 4, 4, 22, 4, 2}},
		"pgpipe": {false: {2, 2, 2, 2, 11, 2, 0}, true: {2, 2, 2, 2, 11, 2, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantCosts(t, func(t *testing.T) (*gorm.DB, *atomic.Int64) {
				return countingPostgres(t, name == "pgpipe", func([]byte) bool { return true })
			}, want)
		})
	}
}

// The events of a transaction go out together, with its COMMIT.
func TestEventsOfATransactionGoOutTogether(t *testing.T) {
	t.Parallel()
	for name, ten := range map[string]int64{"plain": 10, "pgpipe": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantCosts(t, func(t *testing.T) (*gorm.DB, *atomic.Int64) {
				return countingPostgres(t, name == "pgpipe", func(b []byte) bool { return bytes.Contains(b, []byte(event.CategoryModel)) })
			}, map[bool][]int64{false: {0, 0, 0, 0, 0, 0, 0}, true: {1, 1, 1, 1, ten, 1, 0}})
		})
	}
}

// countingPostgres returns a database and the number of writes to the network
// that count.
func countingPostgres(t *testing.T, piped bool, counts func(b []byte) bool) (*gorm.DB, *atomic.Int64) {
	t.Helper()
	config, err := pgx.ParseConfig(testdb.New(t, testdb.Postgres).DSN())
	if err != nil {
		t.Fatal(err)
	}
	writes, dial := &atomic.Int64{}, config.DialFunc
	config.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		return countedConn{conn, counts, writes}, err
	}
	pool := stdlib.OpenDB(*config)
	if piped {
		pool = sql.OpenDB(pgpipe.Connector(*config))
	}
	return openPool(t, pool, postgres.New(postgres.Config{Conn: pool})), writes
}

// A command is a round trip to MariaDB. One that closes a statement has no
// answer.
func TestRoundTripsToMariaDB(t *testing.T) {
	t.Parallel()
	const closeStatement = 0x19
	want := map[bool][]int64{false: {4, 4, 4, 4, 22, 4, 2}, true: {6, 10, 10, 6, 82, 6, 2}}
	wantCosts(t, func(t *testing.T) (*gorm.DB, *atomic.Int64) {
		config, err := drivermysql.ParseDSN(testdb.New(t, testdb.MariaDB).DSN())
		if err != nil {
			t.Fatal(err)
		}
		commands := &atomic.Int64{}
		config.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
			return countedConn{conn, func(b []byte) bool { return len(b) > 4 && b[3] == 0 && b[4] != closeStatement }, commands}, err
		}
		connector, err := drivermysql.NewConnector(config)
		if err != nil {
			t.Fatal(err)
		}
		pool := sql.OpenDB(connector)
		return openPool(t, pool, mysql.New(mysql.Config{Conn: pool})), commands
	}, want)
}

// openPool opens a pool of one connection, which is closed when the test ends.
func openPool(t *testing.T, pool *sql.DB, dialector gorm.Dialector) *gorm.DB {
	t.Helper()
	pool.SetMaxOpenConns(1)
	t.Cleanup(func() {
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
	})
	db, err := gorm.Open(dialector, &gorm.Config{Logger: logger.Discard})
	if err != nil {
		t.Fatal(fmt.Errorf("open: %w", err))
	}
	return db
}
