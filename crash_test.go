package eventaudit_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit"
	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/oracle"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/internal/testredis"
	"github.com/eventaudit/eventaudit/outbox"
	"github.com/eventaudit/eventaudit/repository"
)

// crashes is how many times the writer, the relay and Redis are killed, each.
const crashes = 22

// An app writes, another process relays, Redis keeps the trail. Whichever of
// them dies at whatever moment, each committed change has one event in the end
// and nothing else has one.
func TestSIGKILLOfWriterRelayAndRedis(t *testing.T) {
	t.Parallel()
	d := testdb.New(t, testdb.Postgres)
	db := prepare(t, d)
	keepLedger(t, db)
	server := testredis.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	db, audit := use(t, db, inRedis(server.URL()), relayElsewhere)

	start := func(work string) *child { return startChild(t, work, d, childRedis+"="+server.URL()) }
	writer, relay := start("remote traffic"), start("relay")
	crash := []func(){
		func() { writer.kill(t); writer = start("remote traffic") },
		func() { relay.kill(t); endLeases(t, db); relay = start("relay") },
		func() { server.Kill(t); server.Restart(t) },
	}
	turns := make([]int, len(crash)*crashes)
	for i := range turns {
		turns[i] = i % len(crash)
	}
	rand.Shuffle(len(turns), func(i, j int) { turns[i], turns[j] = turns[j], turns[i] })
	var arrived int64
	for n, turn := range turns {
		arrived = awaitMore(t, audit.Repository(), arrived+100) // all three are at work again
		<-randomMoment()
		crash[turn]()
		if t.Failed() {
			t.Fatalf("after crash %d", n+1)
		}
	}
	writer.kill(t)
	relay.kill(t)
	endLeases(t, db)
	awaitTheDead(t, db)
	relay = start("relay")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := audit.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	relay.kill(t)

	oracle.Check(t, db, audit.Repository(), modelTables[:3]...)
	events := compareWithLedger(t, db, audit.Repository())
	for _, table := range []string{outbox.Table, outbox.DeadLetterTable} {
		if n := count(t, db, table); n != 0 {
			t.Errorf("%d rows are left in %s", n, table)
		}
	}
	t.Logf("%d crashes, %d events", len(turns), events)
}

// inRedis keeps the trail in that Redis.
func inRedis(url string) eventaudit.Option {
	return func(c *eventaudit.Config) { c.Redis.URL = url }
}

// relayElsewhere leaves the relay to another process.
func relayElsewhere(c *eventaudit.Config) { c.Relay.Enabled = false }

// remoteTrafficUntilKilled is an app that leaves the relay to another process.
func remoteTrafficUntilKilled(kind testdb.Kind, dsn string) error {
	return untilKilled(kind, dsn, traffic, inRedis(os.Getenv(childRedis)), relayElsewhere)
}

// relayUntilKilled is a process that does nothing but relay. It does not wait
// for batches to fill, so that it is always in the midst of one.
func relayUntilKilled(kind testdb.Kind, dsn string) error {
	db, err := testdb.Dial(kind, dsn, nil)
	if err != nil {
		return err
	}
	err = db.Use(eventaudit.Plugin(inRedis(os.Getenv(childRedis)), func(c *eventaudit.Config) {
		c.Batch.Timeout = time.Millisecond
		c.Logger = slog.New(slog.DiscardHandler)
	}))
	if err != nil {
		return err
	}
	fmt.Println("ready")
	select {}
}

// keepLedger has the database itself keep a list of the changes, in their
// transactions: a way that shares nothing with the capture.
func keepLedger(t *testing.T, db *gorm.DB) {
	t.Helper()
	must(t, db.Exec(`CREATE TABLE ledger (change text)`))
	must(t, db.Exec(`CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
		DECLARE
			r jsonb := to_jsonb(CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END);
			id text := CASE TG_ARGV[0]
				WHEN 'Customer' THEN r->>'id'
				WHEN 'Product' THEN r->>'sku'
				ELSE format('["%s",%s]', r->>'sku', r->>'warehouse') END;
			action text := CASE
				WHEN TG_OP = 'INSERT' THEN 'created'
				WHEN TG_OP = 'DELETE' OR r->>'deleted_at' IS NOT NULL THEN 'deleted'
				ELSE 'changed' END;
		BEGIN
			INSERT INTO ledger VALUES (TG_ARGV[0] || ' ' || id || ' ' || action);
			RETURN NULL;
		END $$`))
	for _, table := range modelTables[:3] {
		must(t, db.Exec(fmt.Sprintf(`CREATE TRIGGER note AFTER INSERT OR DELETE ON %s
			FOR EACH ROW EXECUTE FUNCTION note('%s')`, table.Name, table.Object)))
		must(t, db.Exec(fmt.Sprintf(`CREATE TRIGGER note_change AFTER UPDATE ON %s
			FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION note('%s')`, table.Name, table.Object)))
	}
}

// compareWithLedger compares the trail with the ledger, and returns how many
// events there are.
func compareWithLedger(t *testing.T, db *gorm.DB, r repository.Repository) int {
	t.Helper()
	var changes []string
	must(t, db.Table("ledger").Select("change").Scan(&changes))
	want, got := map[string]int{}, map[string]int{}
	for _, change := range changes {
		want[change]++
	}
	ids := map[string]bool{}
	for e, err := range r.Find(t.Context(), event.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if ids[e.ID] {
			t.Errorf("event %s is there twice", e.ID)
		}
		ids[e.ID] = true
		got[e.ActionObject+" "+e.ActionObjectID+" "+e.Action]++
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("changes and events differ (-changes +events):\n%s", diff)
	}
	return len(ids)
}

// awaitMore waits until there are more events than that, and returns how many.
func awaitMore(t *testing.T, r repository.Repository, than int64) (n int64) {
	t.Helper()
	testredis.Eventually(t, "events arrive", func(ctx context.Context) (err error) {
		if n, err = repository.Count(ctx, r, event.Filter{}); err == nil && n <= than {
			err = errors.New("no more than before")
		}
		return err
	})
	return n
}

// endLeases lets the time go by that a dead relay keeps others off its events.
func endLeases(t *testing.T, db *gorm.DB) {
	t.Helper()
	must(t, db.Exec("UPDATE "+outbox.Table+" SET claimed_until = 1 WHERE claimed_until > 1"))
}
