package migrate_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/migrate"
	"github.com/eventaudit/eventaudit/repository/sqlrepo"
)

// TestNoRowIsLostOnTheWay has an old process write while a new one takes the
// table over: what it was told is stored must be there afterwards.
func TestNoRowIsLostOnTheWay(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		populate(t, s, 500)
		old := s.Open(t)
		started, ended := make(chan struct{}), make(chan []string)
		go func() {
			var written []string
			defer func() { ended <- written }()
			for i := 0; ; i++ {
				id := fmt.Sprintf("while-%05d", i)
				err := old.Exec("INSERT INTO event_audit_event (id, category, action, timestamp) VALUES (?, 'model', 'created', '2024-10-23T12:03:33')", id).Error
				if err != nil {
					return // the new table wants more columns
				}
				written = append(written, id)
				if i == 3 {
					close(started)
				}
			}
		}()
		<-started
		db := s.Open(t)
		up(t, db)
		written := <-ended
		there := map[string]bool{}
		for _, e := range stored(t, db) {
			there[e.ID] = true
		}
		for _, id := range written {
			if !there[id] {
				t.Errorf("%s of %d is lost", id, len(written))
			}
		}
	})
}

func TestTakeoverCountsTheRows(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		db := s.Open(t)
		run(t, db, `CREATE TABLE event_audit_event (
			id VARCHAR(64), category VARCHAR(9), action VARCHAR(9), actor VARCHAR(9), action_object VARCHAR(9), action_object_id VARCHAR(9),
			target_type VARCHAR(9), target_id VARCHAR(9), timestamp VARCHAR(64), result TEXT, payload TEXT)`)
		for range 2 {
			row{id: "twice", timestamp: "2024-10-23T12:03:33"}.insert(t, db)
		}
		err := migrate.Up(db)
		if err == nil || !strings.Contains(err.Error(), "2 rows") {
			t.Errorf("Up = %v, want an error that counts 2 rows", err)
		}
		expectTables(t, db, sqlrepo.Table)
	})
}

// TestSettingsOfTheSession takes over a column that MariaDB converts to the
// time zone of the session, and looks at the session afterwards.
func TestSettingsOfTheSession(t *testing.T) {
	t.Parallel()
	s := testdb.New(t, testdb.MariaDB)
	ancestor{timestamp: all("TIMESTAMP(6)"), document: all("TEXT")}.create(t, s.Open(t), s.Kind())
	base, _, _ := strings.Cut(s.DSN(), "?")
	db, err := testdb.Dial(testdb.MariaDB, base+"?time_zone=%27-05%3A00%27", nil)
	if err != nil {
		t.Fatal(err)
	}
	pool, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
	})
	pool.SetMaxOpenConns(1)
	row{id: "e", timestamp: "2024-10-23 07:03:33"}.insert(t, db)
	up(t, db)
	if got := stored(t, db)[0].Timestamp.Format("15:04"); got != "12:03" {
		t.Errorf("the row is of %s, want 12:03", got)
	}
	var settings string
	if err := db.Raw("SELECT CONCAT(@@session.time_zone, ' ', @@session.autocommit = 1)").Scan(&settings).Error; err != nil || settings != "-05:00 1" {
		t.Errorf("the session is left with %s, %v, want -05:00 and autocommit as before", settings, err)
	}
}

// TestDateStyleOfTheSession takes over PostgreSQL's own type of timestamps from
// sessions that write it as a German in Calcutta would.
func TestDateStyleOfTheSession(t *testing.T) {
	t.Parallel()
	s := testdb.New(t, testdb.Postgres)
	db := s.Open(t)
	ancestor{timestamp: all("timestamptz"), document: all("json")}.create(t, db, s.Kind())
	row{id: "e", timestamp: "2024-10-23T12:03:33.876737Z"}.insert(t, db)
	for _, setting := range []string{"datestyle = 'German, DMY'", "timezone = 'Asia/Calcutta'"} {
		run(t, db, "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET "+strings.ReplaceAll(setting, "'", "''")+"', current_database()); END $$")
	}
	db = s.Open(t)
	up(t, db)
	if got := stored(t, db)[0].Timestamp.Format("2006-01-02 15:04:05.000000"); got != "2024-10-23 12:03:33.876737" {
		t.Errorf("the row is of %s", got)
	}
}
