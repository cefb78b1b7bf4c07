package eventaudit_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/eventaudit/eventaudit"
	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/repository/sqlrepo"
)

// Account has a secret in every place where one can hide.
type Account struct {
	ID           uint
	Name         string
	PasswordHash string
	Iban         string   `audit:"redact"`
	Notes        string   `audit:"-"`
	Visits       int      `audit:"ignore"`
	Keys         Keys     `gorm:"embedded;embeddedPrefix:keys_" audit:"redact"`
	Settings     Settings `gorm:"serializer:json"`
	Blob         []byte   `audit:"redact"`
}

// Keys is secret as a whole, by the tag of the field that embeds it.
type Keys struct{ Front, Back string }

// Settings are stored as JSON.
type Settings struct {
	Theme    string `json:"theme"`
	APIToken string `json:"api_token"`
}

// Session has a secret key.
type Session struct {
	Token string `gorm:"primaryKey;size:64"`
	Name  string
}

const secret = "hunter2"

func TestASecretNeverReachesTheTrail(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db := prepare(t, d)
		if err := db.AutoMigrate(&Account{}, &Session{}); err != nil {
			t.Fatal(err)
		}
		db, audit := use(t, db, func(c *eventaudit.Config) { c.Track.StorePreviousModelState = eventaudit.StateFull })
		account := func(n int) Account {
			s := fmt.Sprint(secret, n)
			return Account{
				Name: "Ann", PasswordHash: s, Iban: s, Notes: s, Keys: Keys{s, s},
				Settings: Settings{"dark", s}, Blob: []byte(s),
			}
		}
		a, other := account(1), account(2)
		must(t, db.Create(&a))
		must(t, db.Model(&a).Updates(account(3)))
		must(t, db.Model(&a).Update("password_hash", secret+"4"))
		must(t, db.Model(&a).Update("iban", gorm.Expr("coalesce(?, name)", secret)))
		must(t, db.Table("accounts").Where("id = ?", a.ID).Updates(map[string]any{"keys_front": secret + "5", "name": "Zoe"}))
		must(t, db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&other))
		a.PasswordHash = secret + "6"
		must(t, db.Save(&a))
		must(t, db.Delete(&a))
		s := Session{Token: secret + "7", Name: "x"}
		must(t, db.Create(&s))
		must(t, db.Model(&s).Update("name", "y"))
		if err := audit.Record(context.Background(), event.Event{
			Category: "custom", Action: "x",
			Payload: event.JSON(map[string]any{"deep": []any{map[string]any{"Password": secret}}}),
			Result:  event.JSON(map[string]any{"access_token": secret}),
		}); err != nil {
			t.Fatal(err)
		}

		var rows []map[string]any
		must(t, db.Table(sqlrepo.Table).Find(&rows))
		for _, row := range rows {
			for column, value := range row {
				if raw, ok := value.([]byte); ok {
					value = string(raw)
				}
				if text := fmt.Sprint(value); strings.Contains(text, secret) || strings.Contains(text, "aHVudGVyM") {
					t.Errorf("column %s holds the secret: %s", column, text)
				}
			}
		}
		if len(rows) < 10 {
			t.Errorf("only %d events", len(rows))
		}
	})
}

func TestWhatRedactionLeavesVisible(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db := prepare(t, d)
		if err := db.AutoMigrate(&Account{}, &Session{}); err != nil {
			t.Fatal(err)
		}
		db, audit := use(t, db)
		a := Account{Name: "Ann", PasswordHash: "1", Settings: Settings{"dark", "t"}}
		must(t, db.Create(&a))
		change := func(column string, value any) *event.Event {
			t.Helper()
			before := len(trail(t, audit, event.Filter{}))
			must(t, db.Model(&a).UpdateColumn(column, value))
			events := trail(t, audit, event.Filter{})
			if len(events) == before {
				return nil
			}
			return &events[len(events)-1]
		}
		const mask = `{"old":{"%[1]s":"[redacted]"},"new":{"%[1]s":"[redacted]"}}`
		if e := change("password_hash", "2"); e == nil || string(e.Result) != fmt.Sprintf(mask, "password_hash") {
			t.Errorf("a change of a secret: %+v", e)
		}
		if e := change("iban", "x"); e == nil || string(e.Result) != fmt.Sprintf(mask, "iban") {
			t.Errorf("a change of a tagged column: %+v", e)
		}
		if e := change("notes", "x"); e != nil {
			t.Errorf("a change of a column that is not stored: %s", e.Result)
		}
		if e := change("visits", 1); e != nil {
			t.Errorf("a change of a column that is ignored: %s", e.Result)
		}
		must(t, db.Model(&a).UpdateColumns(map[string]any{"visits": 2, "name": "Bob"}))
		if e := trail(t, audit, event.Filter{Order: event.NewestFirst, Limit: 1})[0]; string(e.Result) != `{"old":{"name":"Ann","visits":1},"new":{"name":"Bob","visits":2}}` {
			t.Errorf("an ignored column beside another: %s", e.Result)
		}
		if e := change("settings", `{"theme":"light","api_token":"t"}`); e == nil ||
			!strings.Contains(string(e.Result), `{\"theme\":\"light\",\"api_token\":\"[redacted]\"}`) {
			t.Errorf("a document with a secret: %+v", e)
		}

		s, other := Session{Token: "aaa"}, Session{Token: "bbb"}
		must(t, db.Create(&s))
		must(t, db.Create(&other))
		must(t, db.Model(&s).Update("name", "y"))
		of := trail(t, audit, event.Filter{ActionObject: "Session"})
		if len(of) != 3 || of[0].ActionObjectID != of[2].ActionObjectID || of[0].ActionObjectID == of[1].ActionObjectID {
			t.Errorf("records with secret keys are not told apart: %+v", of)
		}
		var created struct{ New map[string]json.RawMessage }
		if err := json.Unmarshal(trail(t, audit, event.Filter{ActionObject: "Account", Action: "created"})[0].Result, &created); err != nil {
			t.Fatal(err)
		}
		if _, stored := created.New["notes"]; stored {
			t.Error(`a column with audit:"-" is in the event`)
		}
	})
}

func TestAMisspeltTagFailsLoudly(t *testing.T) {
	t.Parallel()
	type Patient struct {
		ID        uint
		Diagnosis string `audit:"redcat"`
	}
	db := prepare(t, testdb.New(t, testdb.SQLitePure))
	if err := db.AutoMigrate(&Patient{}); err != nil {
		t.Fatal(err)
	}
	db, _ = use(t, db)
	err := db.Create(&Patient{Diagnosis: "x"}).Error
	var broken *event.FieldError
	if !errors.As(err, &broken) || broken.Field != "Patient.Diagnosis" || broken.Value != "redcat" {
		t.Fatalf("err = %v", err)
	}
	var n int64
	must(t, db.Model(&Patient{}).Count(&n))
	if n != 0 {
		t.Error("the row was written")
	}
}
