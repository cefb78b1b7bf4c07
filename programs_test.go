package eventaudit_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"
	"pgregory.net/rapid"

	"github.com/eventaudit/eventaudit/internal/oracle"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

// operationsVariable says how many operations a test of random programs runs
// on each database; without it a hundred programs are enough.
const operationsVariable = "EVENT_AUDIT_TEST_OPERATIONS"

// programTables are all tables of random programs, children first.
var programTables = slices.Concat([]oracle.Table{
	{Object: "pages", Name: "pages", Keys: []string{"id"}},
	{Object: "Entry", Name: "entries", Keys: []string{"id"}},
	{Object: "Order", Name: "orders", Keys: []string{"id"}},
	{Object: "person_skills", Name: "person_skills", Keys: []string{"person_id", "skill_code"}},
	{Object: "friendships", Name: "friendships", Keys: []string{"person_id", "friend_id"}},
	{Object: "Membership", Name: "memberships", Keys: []string{"person_id", "project_id"}},
	{Object: "Phone", Name: "phones", Keys: []string{"id"}},
	{Object: "Badge", Name: "badges", Keys: []string{"id"}},
	{Object: "Person", Name: "people", Keys: []string{"id"}},
	{Object: "Skill", Name: "skills", Keys: []string{"code"}},
	{Object: "Project", Name: "projects", Keys: []string{"id"}},
}, modelTables, triggerTables, upsertTables)

// clock stands still during an operation, so that the same operation stores
// the same times wherever it runs.
type clock struct{ ticks atomic.Int64 }

func (c *clock) now() time.Time {
	return time.Date(2025, 3, 30, 0, 0, 0, 0, time.UTC).Add(time.Duration(c.ticks.Load()) * time.Second)
}

// stage is a database for random programs. Its second connection has no
// plugin: it empties the tables and reads them behind the back of the trail.
type stage struct {
	db, beside *gorm.DB
	clock      *clock
	name       string
}

// opener opens a database in one of the ways that apps do.
type opener func(t testing.TB, d *testdb.Database, cfg *gorm.Config) *gorm.DB

func openPlainly(t testing.TB, d *testdb.Database, cfg *gorm.Config) *gorm.DB {
	t.Helper()
	return d.Open(t, cfg)
}

// newStage creates the tables that programs use.
func newStage(t testing.TB, d *testdb.Database, open opener) *stage {
	t.Helper()
	s := &stage{beside: prepare(t, d), clock: &clock{}}
	s.name = s.beside.Migrator().CurrentDatabase()
	s.db = open(t, d, &gorm.Config{NowFunc: s.clock.now})
	for _, db := range []*gorm.DB{s.beside, s.db} {
		if err := db.SetupJoinTable(&Person{}, "Projects", &Membership{}); err != nil {
			t.Fatal(err)
		}
	}
	err := s.beside.AutoMigrate(&Person{}, &Phone{}, &Badge{}, &Skill{}, &Project{}, &Membership{}, &Order{}, &Entry{}, &page{},
		&Trunk{}, &Nomad{}, &Weed{}, &Seat{}, &Label{})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range slices.Concat(triggersByDatabase[s.beside.Name()], indexesByDatabase[s.beside.Name()]) {
		must(t, s.beside.Exec(text))
	}
	return s
}

// empty removes all rows and lets ids begin at 1 again.
func (s *stage) empty(t *rapid.T) {
	statements := []string{"UPDATE people SET boss_id = NULL", "UPDATE weeds SET title = 'pulled'"}
	for _, table := range programTables {
		statements = append(statements, "DELETE FROM "+table.Name)
	}
	for _, table := range []string{"pages", "entries", "orders", "phones", "badges", "people", "projects", "customers", "seats"} {
		switch s.beside.Name() {
		case "postgres":
			statements = append(statements, "ALTER SEQUENCE "+table+"_id_seq RESTART")
		case "mysql":
			statements = append(statements, "ALTER TABLE "+table+" AUTO_INCREMENT = 1")
		}
	}
	if s.beside.Name() == "sqlite" {
		statements = append(statements, "DELETE FROM sqlite_sequence WHERE name NOT LIKE 'event%'")
	}
	err := s.beside.Transaction(func(tx *gorm.DB) error {
		for _, statement := range statements {
			if err := tx.Exec(statement).Error; err != nil {
				return fmt.Errorf("%s: %w", statement, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s.clock.ticks.Store(0)
}

// performance is one run of a program, with everything that the app saw.
type performance struct {
	*stage
	seen []sight
}

// sight is what the app saw of one operation.
type sight struct {
	operation string
	result    result
}

func (p *performance) saw(operation string, r result) {
	p.clock.ticks.Add(1)
	p.seen = append(p.seen, sight{operation, r})
}

// perform runs the programs one after the other.
func (s *stage) perform(programs []program) *performance {
	p := &performance{stage: s}
	for _, run := range programs {
		run(p, s.db)
	}
	return p
}

// program is drawn once and can be performed on several databases.
type program func(p *performance, db *gorm.DB)

// errUndo makes a transaction of the test roll back.
var errUndo = errors.New("undo")

// block is a few operations in a row. What it returns decides about the
// transaction around it: an app may mind errors, ignore them, or change its mind.
type block func(p *performance, db *gorm.DB) error

func drawBlock(t *rapid.T) block {
	type step struct {
		name string
		do   act
	}
	var steps []step
	for range rapid.IntRange(1, 4).Draw(t, "operations") {
		o := pick(t, "operation", operations)
		t.Logf("%s", o.name)
		steps = append(steps, step{o.name, o.draw(t)})
	}
	minds := pick(t, "minds errors", []bool{false, true})
	undone := pick(t, "rolled back", []bool{false, false, false, true})
	return func(p *performance, db *gorm.DB) error {
		for _, s := range steps {
			r := s.do.survive(db)
			p.saw(s.name, r)
			if r.err != nil && minds {
				return r.err
			}
		}
		if undone {
			return errUndo
		}
		return nil
	}
}

// pick draws one of a few with even chances, while rapid's own choices favour
// the first ones. Failures shrink towards the first.
func pick[T any](t *rapid.T, label string, from []T) T {
	place := 0
	for range 10 {
		place *= 2
		if rapid.Bool().Draw(t, label) {
			place++
		}
	}
	return from[place*len(from)/1024]
}

// checkPrograms checks random programs until as many operations ran as the
// environment asks for. The test tells how many operations it ran.
func checkPrograms(t *testing.T, test func(rt *rapid.T) *performance) {
	t.Helper()
	wanted := 1
	if text := os.Getenv(operationsVariable); text != "" {
		var err error
		if wanted, err = strconv.Atoi(text); err != nil {
			t.Fatalf("%s is not a number: %v", operationsVariable, err)
		}
	}
	ran, passed := 0, map[string]int{}
	for ran < wanted && !t.Failed() {
		rapid.Check(t, func(rt *rapid.T) {
			for _, s := range test(rt).seen {
				ran++
				if s.result.err == nil {
					passed[s.operation]++
				}
			}
		})
	}
	t.Logf("%d operations; without an error: %v", ran, passed)
	for _, o := range operations {
		if ran > 100*len(operations) && passed[o.name] == 0 {
			t.Errorf("%q never succeeded, so it was not tested", o.name)
		}
	}
}

// errorText is an error as it would be in a database of another name.
func (s *stage) errorText(err error) string {
	if err == nil {
		return ""
	}
	return strings.ReplaceAll(err.Error(), s.name, "database")
}
