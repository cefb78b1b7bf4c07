package testdb

import (
	"crypto/rand"
	"errors"
	"net/url"
	"os"
	"strings"
	"testing"

	drivermysql "github.com/go-sql-driver/mysql"
	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/pgpipe"
)

func postgresDriver() driver {
	dial := postgres.Open
	if os.Getenv(PipelineVariable) == "1" {
		dial = pgpipe.Open
	}
	create := func(t testing.TB) string {
		t.Helper()
		admin := server(t, PostgresVariable, "postgres://postgres@127.0.0.1:5432/postgres")
		name := randomName()
		run(t, dial(admin), "CREATE DATABASE "+name+" TEMPLATE template0")
		t.Cleanup(func() { run(t, dial(admin), "DROP DATABASE "+name+" WITH (FORCE)") })
		return postgresDSN(t, admin, name)
	}
	return driver{create: create, dial: dial}
}

// postgresDSN returns the DSN with another database name in it; both forms of
// libpq are understood.
func postgresDSN(t testing.TB, dsn, database string) string {
	t.Helper()
	if !strings.HasPrefix(dsn, "postgres://") && !strings.HasPrefix(dsn, "postgresql://") {
		return dsn + " dbname=" + database // the last one counts
	}
	parsed, err := url.Parse(dsn)
	if err != nil {
		t.Fatalf("testdb: %s is not a URL; correct it", PostgresVariable)
	}
	parsed.Path = "/" + database
	return parsed.String()
}

func mariadbDriver() driver {
	dial := func(dsn string) gorm.Dialector { return mysql.Open(dsn) }
	create := func(t testing.TB) string {
		t.Helper()
		admin := server(t, MySQLVariable, "root@tcp(127.0.0.1:3306)/")
		name := randomName()
		run(t, dial(admin), "CREATE DATABASE "+name+" CHARACTER SET utf8mb4")
		t.Cleanup(func() { dropMariaDB(t, admin, name) })
		return mariadbDSN(t, admin, name)
	}
	return driver{create: create, dial: dial}
}

// dropMariaDB first ends the connections that a failed test left behind: DROP
// would wait for their transactions.
func dropMariaDB(t testing.TB, dsn, database string) {
	t.Helper()
	const list = "SELECT id FROM information_schema.processlist WHERE db = ?"
	db, err := gorm.Open(mysql.Open(dsn), withSilentLogger(nil))
	if err != nil {
		t.Fatalf("testdb: reach mysql to drop %s: %v", database, err)
	}
	defer closePool(t, db)
	var left []int64
	if err := db.Raw(list, database).Scan(&left).Error; err != nil {
		t.Errorf("testdb: list the connections to %s: %v", database, err)
	}
	const goneMeanwhile = 1094
	for _, id := range left {
		var known *drivermysql.MySQLError
		err := db.Exec("KILL ?", id).Error
		if err != nil && (!errors.As(err, &known) || known.Number != goneMeanwhile) {
			t.Errorf("testdb: end connection %d to %s: %v", id, database, err)
		}
	}
	if err := db.Exec("DROP DATABASE " + database).Error; err != nil {
		t.Errorf("testdb: drop %s: %v", database, err)
	}
}

// mariadbDSN returns the DSN with another database name in it and with what
// GORM needs: whole Unicode, and times as times.
func mariadbDSN(t testing.TB, dsn, database string) string {
	t.Helper()
	cfg, err := drivermysql.ParseDSN(dsn)
	if err != nil {
		t.Fatalf("testdb: %s is not a DSN of github.com/go-sql-driver/mysql; correct it", MySQLVariable)
	}
	cfg.DBName = database
	cfg.ParseTime = true
	if err := cfg.Apply(drivermysql.Charset("utf8mb4", "")); err != nil {
		t.Fatal(err)
	}
	return cfg.FormatDSN()
}

// randomName keeps tests apart that share a server, whatever process they are
// in.
func randomName() string { return "eventaudit_test_" + strings.ToLower(rand.Text()) }

// run executes one statement on a connection of its own.
func run(t testing.TB, dialector gorm.Dialector, statement string) {
	t.Helper()
	db, err := gorm.Open(dialector, withSilentLogger(nil))
	if err != nil {
		t.Fatalf("testdb: reach %s to run %q: %v", dialector.Name(), statement, err)
	}
	defer closePool(t, db)
	if err := db.Exec(statement).Error; err != nil {
		t.Fatalf("testdb: %s: %v", statement, err)
	}
}
