package eventaudit_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/oracle"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

// Person has relations of every kind.
type Person struct {
	ID       uint
	Name     string
	BossID   *uint
	Boss     *Person
	Team     []Person  `gorm:"foreignKey:BossID"`
	Phones   []Phone   `gorm:"polymorphic:Owner"`
	Badge    Badge     // has one
	Skills   []Skill   `gorm:"many2many:person_skills"`
	Friends  []*Person `gorm:"many2many:friendships"`
	Projects []Project `gorm:"many2many:memberships"`
}

// Phone belongs to whoever owns it.
type Phone struct {
	ID        uint
	Number    string
	OwnerID   uint
	OwnerType string `gorm:"size:20"`
}

// Badge is a has-one.
type Badge struct {
	ID       uint
	PersonID uint
	Code     string
}

// Skill is at the other end of a many2many.
type Skill struct {
	Code string `gorm:"primaryKey;size:20"`
}

// Project is joined by a model of its own.
type Project struct {
	ID   uint
	Name string
}

// Membership is the join model.
type Membership struct {
	PersonID  uint `gorm:"primaryKey"`
	ProjectID uint `gorm:"primaryKey"`
	Role      string
}

var relationTables = []oracle.Table{
	{Object: "Person", Name: "people", Keys: []string{"id"}},
	{Object: "Phone", Name: "phones", Keys: []string{"id"}},
	{Object: "Badge", Name: "badges", Keys: []string{"id"}},
	{Object: "Skill", Name: "skills", Keys: []string{"code"}},
	{Object: "Project", Name: "projects", Keys: []string{"id"}},
	{Object: "person_skills", Name: "person_skills", Keys: []string{"person_id", "skill_code"}},
	{Object: "friendships", Name: "friendships", Keys: []string{"person_id", "friend_id"}},
	{Object: "Membership", Name: "memberships", Keys: []string{"person_id", "project_id"}},
}

func TestRelations(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db := prepare(t, d)
		if err := db.SetupJoinTable(&Person{}, "Projects", &Membership{}); err != nil {
			t.Fatal(err)
		}
		if err := db.AutoMigrate(&Person{}, &Phone{}, &Badge{}, &Skill{}, &Project{}, &Membership{}); err != nil {
			t.Fatal(err)
		}
		db, audit := use(t, db)
		seen := 0
		step := func(name string, want []string, do func() error) {
			t.Helper()
			if err := do(); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			events := trail(t, audit, event.Filter{})
			var got []string
			for _, e := range events[seen:] {
				if e.Action == event.ActionAttached || e.Action == event.ActionDetached {
					got = append(got, e.Action+" "+e.ActionObject+" "+e.ActionObjectID+" "+e.TargetType+" "+e.TargetID)
				} else {
					got = append(got, e.Action+" "+e.ActionObject+" "+e.ActionObjectID)
				}
			}
			seen = len(events)
			slices.Sort(got)
			slices.Sort(want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
		ann := Person{
			Name: "Ann", Boss: &Person{Name: "Boss"}, Phones: []Phone{{Number: "1"}, {Number: "2"}}, Badge: Badge{Code: "b"},
			Skills: []Skill{{"go"}, {"sql"}}, Projects: []Project{{Name: "x"}},
		}
		step("create with everything", []string{
			"created Person 1", "created Person 2", "created Phone 1", "created Phone 2", "created Badge 1",
			"created Skill go", "created Skill sql", `created person_skills [2,"go"]`, `created person_skills [2,"sql"]`,
			"attached Person 2 Skill go", "attached Person 2 Skill sql",
			"created Project 1", "created Membership [2,1]", "attached Person 2 Project 1",
		}, func() error { return db.Create(&ann).Error })
		step("append", []string{"created Skill art", `created person_skills [2,"art"]`, "attached Person 2 Skill art"},
			func() error { return db.Model(&ann).Association("Skills").Append(&Skill{"art"}) })
		step("append what is there", nil, func() error { return db.Model(&ann).Association("Skills").Append(&Skill{"art"}) })
		step("delete", []string{`deleted person_skills [2,"go"]`, "detached Person 2 Skill go"},
			func() error { return db.Model(&ann).Association("Skills").Delete(&Skill{"go"}) })
		step("replace", []string{
			`created person_skills [2,"go"]`, "attached Person 2 Skill go",
			`deleted person_skills [2,"sql"]`, `deleted person_skills [2,"art"]`, "detached Person 2 Skill sql", "detached Person 2 Skill art",
		}, func() error { return db.Model(&ann).Association("Skills").Replace(&Skill{"go"}) })
		step("clear", []string{`deleted person_skills [2,"go"]`, "detached Person 2 Skill go"},
			func() error { return db.Model(&ann).Association("Skills").Clear() })
		step("self-referential", []string{"created friendships [2,1]", "attached Person 2 Person 1"},
			func() error { return db.Model(&ann).Association("Friends").Append(&Person{ID: 1}) })
		step("join model", []string{"deleted Membership [2,1]", "detached Person 2 Project 1"},
			func() error { return db.Model(&ann).Association("Projects").Delete(&Project{ID: 1}) })
		step("has many replace", []string{"created Phone 3", "changed Phone 1", "changed Phone 2"},
			func() error { return db.Model(&ann).Association("Phones").Replace(&Phone{Number: "3"}) })
		step("has many unscoped clear", []string{"deleted Phone 3"},
			func() error { return db.Model(&ann).Association("Phones").Unscoped().Clear() })
		step("delete with select", []string{"deleted Badge 1", "deleted Person 2", "deleted friendships [2,1]", "detached Person 2 Person 1"},
			func() error { return db.Select("Badge", "Friends").Delete(&Person{ID: 2}).Error })
		oracle.Check(t, db, audit.Repository(), relationTables...)
		step("a rollback", nil, func() error {
			err := db.Transaction(func(tx *gorm.DB) error {
				if err := tx.Model(&Person{ID: 1}).Association("Skills").Append(&Skill{"new"}); err != nil {
					return err
				}
				return errUndo
			})
			if err != errUndo { //nolint:errorlint // it must come back as it is
				return err
			}
			return nil
		})
	})
}
