package eventaudit_test

import (
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/repository/sqlrepo"
)

// rowsVariable says how many rows the largest statement of the tests changes
// on each database; without it ten thousand are enough.
const rowsVariable = "EVENT_AUDIT_TEST_ROWS"

// A process that changes very many rows at once needs little more memory than
// one without the plugin, and every row has its event. The memory is the most
// that the process ever had, as the operating system counts it.
func TestMemoryOfAProcessThatChangesManyRows(t *testing.T) {
	const limit = 64 << 10 // KiB
	rows := 10_000
	if text := os.Getenv(rowsVariable); text != "" {
		var err error
		if rows, err = strconv.Atoi(text); err != nil {
			t.Fatalf("%s is not a number: %v", rowsVariable, err)
		}
	}
	for _, kind := range testdb.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			d := testdb.New(t, kind)
			db := prepare(t, d)
			rowsThere(t, db, rows)
			was := "'a row of some length, with the number ' || id"
			if kind == testdb.MariaDB {
				was = "CONCAT('a row of some length, with the number ', id)"
			}
			grown, took := map[string]int{}, map[string]time.Duration{}
			for _, work := range []string{"large update", "audited large update"} {
				must(t, db.Exec("UPDATE documents SET body = "+was))
				grown[work], took[work] = growth(t, d, work)
			}
			t.Logf("%d rows: the process grew by %d KiB in %s, without the plugin by %d KiB in %s", rows,
				grown["audited large update"], took["audited large update"].Round(time.Millisecond),
				grown["large update"], took["large update"].Round(time.Millisecond))
			if more := grown["audited large update"] - grown["large update"]; more > limit {
				t.Errorf("the process grew by %d KiB more than without the plugin", more)
			}
			if n := count(t, db, sqlrepo.Table); n != int64(rows) {
				t.Errorf("%d events of %d rows", n, rows)
			}
			if n := rightEvents(t, db, was); n != int64(rows) {
				t.Errorf("%d events of %d rows have the values before and after", n, rows)
			}
		})
	}
}

// rightEvents counts the events that fit their row, by SQL alone.
func rightEvents(t *testing.T, db *gorm.DB, was string) (n int64) {
	t.Helper()
	cell := map[string]string{
		"postgres": "CAST(result AS jsonb) -> '%s' ->> 'body'",
		"sqlite":   "json_extract(result, '$.%s.body')",
		"mysql":    "JSON_VALUE(result, '$.%s.body')",
	}[db.Name()]
	must(t, db.Raw("SELECT count(DISTINCT documents.id) FROM documents JOIN "+sqlrepo.Table+" e ON e.action_object_id = documents.id "+
		"WHERE action = 'changed' AND action_object = 'Document' AND body = documents.id"+
		" AND "+fmt.Sprintf(cell, "old")+" = "+regexp.MustCompile(`\bid\b`).ReplaceAllString(was, "documents.id")+
		" AND "+fmt.Sprintf(cell, "new")+" = body").Scan(&n))
	return n
}

// growth has a process of its own do the work, and returns by how many KiB the
// most memory that it ever had grew meanwhile, and how long that took.
func growth(t *testing.T, d *testdb.Database, work string) (kib int, took time.Duration) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childWork+"="+work, childDSN+"="+d.DSN(), childKind+"="+string(d.Kind()))
	child.Stderr = os.Stderr
	out, err := child.Output()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscan(string(out), &kib, (*int64)(&took)); err != nil {
		t.Fatalf("%s said %q: %v", work, out, err)
	}
	return kib, took
}

func largeUpdate(kind testdb.Kind, dsn string) error { return updateAll(kind, dsn, false) }

func auditedLargeUpdate(kind testdb.Kind, dsn string) error { return updateAll(kind, dsn, true) }

func updateAll(kind testdb.Kind, dsn string, audited bool) error {
	db, err := testdb.Dial(kind, dsn, nil)
	if err != nil {
		return err
	}
	if audited {
		if err := db.Use(eventaudit.Plugin(eventaudit.WithLogger(slog.New(slog.DiscardHandler)))); err != nil {
			return err
		}
	}
	before, err := peakMemory()
	if err != nil {
		return err
	}
	start := time.Now()
	if err := db.Model(&Document{}).Where("1 = 1").Update("body", gorm.Expr("id")).Error; err != nil {
		return err
	}
	took := time.Since(start)
	after, err := peakMemory()
	fmt.Println(after-before, int64(took))
	return err
}

// peakMemory returns the most KiB of memory that this process ever had. Only
// Linux tells.
func peakMemory() (kib int, err error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	found := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	if found == nil {
		return 0, fmt.Errorf("no VmHWM in /proc/self/status")
	}
	return strconv.Atoi(string(found[1]))
}
