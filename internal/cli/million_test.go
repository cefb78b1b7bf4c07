package cli_test

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/export"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/internal/testredis"
	"github.com/eventaudit/eventaudit/repository"
	"github.com/eventaudit/eventaudit/repository/redisrepo"
	"github.com/eventaudit/eventaudit/repository/sqlrepo"
)

const million = 1_000_000

// BenchmarkExportMillion prints, for a million events in each kind of trail,
// how fast each format is written to a file, how large the file is, and how
// much more memory that takes than a process that exports nothing. JSON Lines
// from PostgreSQL take turns with what psql writes of the same rows as JSON.
// Run it with -benchtime 1x.
func BenchmarkExportMillion(b *testing.B) {
	for _, source := range []struct {
		name string
		fill func(b *testing.B) (url string, env []string)
	}{
		{"postgres", func(b *testing.B) (string, []string) { return fillDatabase(b, testdb.Postgres), nil }},
		{"sqlite", func(b *testing.B) (string, []string) { return fillDatabase(b, testdb.SQLiteCgo), nil }},
		{"redis", fillRedis},
	} {
		b.Run(source.name, func(b *testing.B) {
			url, env := source.fill(b)
			for b.Loop() {
				_, idle := measured(b, env, "--database="+url, "export", "--id=none")
				fmt.Printf("\n%-10s %-8s %8s %10s %8s %14s\n", source.name, "format", "s", "events/s", "MiB", "MiB over idle")
				for _, format := range export.Names() {
					took, peak, size := exported(b, env, url, format)
					fmt.Printf("%-10s %-8s %8.1f %10.0f %8.0f %14.1f\n", source.name, format, took.Seconds(), million/took.Seconds(), size, peak-idle)
				}
				if source.name == "postgres" {
					besidePsql(b, url)
				}
			}
		})
	}
}

// exported writes a file of the format, and says how large it is in MiB.
func exported(b *testing.B, env []string, url, format string) (took time.Duration, peak, size float64) {
	b.Helper()
	file := filepath.Join(b.TempDir(), "trail."+format)
	took, peak = measured(b, env, "--database="+url, "export", "--category=model", "--output="+file)
	info, err := os.Stat(file)
	if err != nil {
		b.Fatal(err)
	}
	if err := os.Remove(file); err != nil {
		b.Fatal(err)
	}
	return took, peak, float64(info.Size()) / (1 << 20)
}

// besidePsql lets the command and psql write the same rows in turns.
func besidePsql(b *testing.B, url string) {
	b.Helper()
	const copyRows = `\copy (SELECT row_to_json(e) FROM (SELECT * FROM event_audit_event WHERE category = 'model' ORDER BY "timestamp", id) e) TO '%s'`
	var ours, theirs, ratios []float64
	for range 7 {
		took, _, _ := exported(b, nil, url, "jsonl")
		file := filepath.Join(b.TempDir(), "copy.jsonl")
		begun := time.Now()
		if out, err := exec.CommandContext(b.Context(), "psql", url, "-c", fmt.Sprintf(copyRows, file)).CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
		copied := time.Since(begun)
		if err := os.Remove(file); err != nil {
			b.Fatal(err)
		}
		ours, theirs = append(ours, took.Seconds()), append(theirs, copied.Seconds())
		ratios = append(ratios, took.Seconds()/copied.Seconds())
	}
	fmt.Printf("jsonl %.1f s, psql %.1f s, ratio %.2f (%.2f to %.2f)\n", middle(ours), middle(theirs), middle(ratios), slices.Min(ratios), slices.Max(ratios))
}

func middle[T cmp.Ordered](values []T) T {
	slices.Sort(values)
	return values[len(values)/2]
}

func fillDatabase(b *testing.B, kind testdb.Kind) (url string) {
	b.Helper()
	url, db := newDatabase(b, kind)
	repo, err := sqlrepo.New(db, nil)
	if err != nil {
		b.Fatal(err)
	}
	fillMillion(b, repo)
	settle := "ANALYZE"
	if kind == testdb.Postgres {
		settle = "VACUUM ANALYZE" // the first to read new rows would mark them as settled
	}
	if err := db.Exec(settle).Error; err != nil {
		b.Fatal(err)
	}
	return url
}

func fillRedis(b *testing.B) (url string, env []string) {
	b.Helper()
	server := testredis.Start(b)
	repo, err := redisrepo.New(server.Client, nil)
	if err != nil {
		b.Fatal(err)
	}
	fillMillion(b, repo)
	url, _ = newDatabase(b, testdb.SQLiteCgo)
	return url, []string{"EVENT_AUDIT_REDIS_URL=" + server.URL()}
}

// fillMillion writes changes of a row with a dozen columns.
func fillMillion(b *testing.B, r repository.Repository) {
	b.Helper()
	first := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	const chunk = 5000
	for n := 0; n < million; n += chunk {
		events := make([]event.Event, chunk)
		for i := range events {
			e := event.New(event.CategoryModel, event.ActionChanged)
			at := first.Add(time.Duration(n+i) * 30 * time.Second)
			e.Actor, e.ActionObject, e.ActionObjectID, e.Timestamp = fmt.Sprintf("user-%d", i%997), "Customer", fmt.Sprint((n+i)*7919%20000), at
			e.TransactionID, e.RequestID, e.IPAddress = event.NewID(), event.NewID(), fmt.Sprintf("10.0.0.%d", i%256)
			row := map[string]any{
				"id": n + i, "name": "Erika Mustermann", "email": "erika@example.org", "status": "active", "age": 47, "balance": 1234.56,
				"active": true, "last_login": at, "settings": `{"theme":"dark","language":"de"}`, "created_at": first, "updated_at": at, "deleted_at": nil,
			}
			e.Result = event.JSON(map[string]any{"old": map[string]any{"status": "new", "updated_at": first}, "new": row})
			events[i] = e
		}
		if err := r.Write(b.Context(), events...); err != nil {
			b.Fatal(err)
		}
	}
}
