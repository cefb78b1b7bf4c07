package eventaudit_test

import (
	"gorm.io/gorm"
	"pgregory.net/rapid"
)

// drawSkills draws skills that may exist already, by their codes.
func drawSkills(t *rapid.T) func() []Skill {
	codes := rapid.SliceOfN(rapid.SampledFrom([]string{"go", "sql", "art"}), 1, 2).Draw(t, "skills")
	return func() (skills []Skill) {
		for _, code := range codes {
			skills = append(skills, Skill{code})
		}
		return skills
	}
}

// association returns an operation on a relation of a person.
func association(name, relation string, draw func(t *rapid.T) func(*gorm.Association) error) operation {
	return operation{name, func(t *rapid.T) act {
		id, do := rapid.UintRange(1, 3).Draw(t, "person"), draw(t)
		return func(db *gorm.DB) result {
			person := Person{ID: id}
			return finished(do(db.Model(&person).Association(relation)), person)
		}
	}}
}

var relations = []operation{
	by("create person", drawName, func(db *gorm.DB, name string) *gorm.DB {
		return db.Omit("Badge").Create(&Person{Name: name})
	}),
	{"create person with relations", func(t *rapid.T) act {
		name, skills := drawName.Draw(t, "name"), drawSkills(t)
		return func(db *gorm.DB) result {
			p := Person{
				Name: name, Boss: &Person{Name: "Boss"}, Phones: []Phone{{Number: "1"}, {Number: "2"}},
				Badge: Badge{Code: "b"}, Skills: skills(), Projects: []Project{{Name: "x"}},
			}
			return did(db.Create(&p), p)
		}
	}},
	{"save person with relations", func(t *rapid.T) act {
		id, name, skills := rapid.UintRange(1, 3).Draw(t, "id"), drawName.Draw(t, "name"), drawSkills(t)
		return func(db *gorm.DB) result {
			p := Person{ID: id, Name: name, Skills: skills(), Team: []Person{{Name: "New"}}, Phones: []Phone{{ID: id, Number: name}}}
			return did(db.Omit("Badge").Save(&p), p)
		}
	}},
	association("append many to many", "Skills", func(t *rapid.T) func(*gorm.Association) error {
		skills := drawSkills(t)
		return func(a *gorm.Association) error { return a.Append(skills()) }
	}),
	association("replace many to many", "Skills", func(t *rapid.T) func(*gorm.Association) error {
		skills := drawSkills(t)
		return func(a *gorm.Association) error { return a.Replace(skills()) }
	}),
	association("delete many to many", "Skills", func(t *rapid.T) func(*gorm.Association) error {
		skills := drawSkills(t)
		return func(a *gorm.Association) error { return a.Delete(skills()) }
	}),
	association("clear many to many", "Skills", func(*rapid.T) func(*gorm.Association) error {
		return func(a *gorm.Association) error { return a.Clear() }
	}),
	association("append to self", "Friends", func(t *rapid.T) func(*gorm.Association) error {
		id := rapid.UintRange(1, 3).Draw(t, "friend")
		return func(a *gorm.Association) error { return a.Append(&Person{ID: id}) }
	}),
	association("append by join model", "Projects", func(t *rapid.T) func(*gorm.Association) error {
		id := rapid.UintRange(0, 2).Draw(t, "project")
		return func(a *gorm.Association) error { return a.Append(&Project{ID: id, Name: "p"}) }
	}),
	association("replace by join model", "Projects", func(*rapid.T) func(*gorm.Association) error {
		return func(a *gorm.Association) error { return a.Replace(&Project{Name: "new"}) }
	}),
	association("append has many", "Phones", func(t *rapid.T) func(*gorm.Association) error {
		id := rapid.UintRange(0, 3).Draw(t, "phone")
		return func(a *gorm.Association) error { return a.Append(&Phone{ID: id, Number: "9"}) }
	}),
	association("replace has many", "Team", func(*rapid.T) func(*gorm.Association) error {
		return func(a *gorm.Association) error { return a.Replace(&Person{Name: "Member"}) }
	}),
	association("clear has many for good", "Phones", func(*rapid.T) func(*gorm.Association) error {
		return func(a *gorm.Association) error { return a.Unscoped().Clear() }
	}),
	association("replace has one", "Badge", func(t *rapid.T) func(*gorm.Association) error {
		code := drawName.Draw(t, "code")
		return func(a *gorm.Association) error { return a.Replace(&Badge{Code: code}) }
	}),
	association("replace belongs to", "Boss", func(t *rapid.T) func(*gorm.Association) error {
		id := rapid.UintRange(0, 3).Draw(t, "boss")
		return func(a *gorm.Association) error { return a.Replace(&Person{ID: id, Name: "Boss"}) }
	}),
	association("clear belongs to", "Boss", func(*rapid.T) func(*gorm.Association) error {
		return func(a *gorm.Association) error { return a.Clear() }
	}),
	by("delete person with relations", rapid.UintRange(1, 3), func(db *gorm.DB, id uint) *gorm.DB {
		return db.Select("Badge", "Skills", "Friends", "Projects", "Phones").Delete(&Person{ID: id})
	}),
}
