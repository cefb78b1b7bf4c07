package eventaudit_test

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

// newest returns the columns of the newest event's new row.
func newest(t *testing.T, events []event.Event) map[string]json.RawMessage {
	t.Helper()
	var result struct{ New map[string]json.RawMessage }
	if err := json.Unmarshal(events[len(events)-1].Result, &result); err != nil {
		t.Fatal(err)
	}
	return result.New
}

func TestValuesOfPostgres(t *testing.T) {
	t.Parallel()
	db, audit := install(t, testdb.New(t, testdb.Postgres))
	columns := map[string][2]string{ // column: SQL value, JSON in the trail
		"id int primary key":   {`1`, `1`},
		"big bigint":           {`9223372036854775807`, `9223372036854775807`},
		"exact numeric":        {`12345678901234567890.12345`, `12345678901234567890.12345`},
		"scaled numeric(10,2)": {`12.50`, `12.50`},
		"nan numeric":          {`'NaN'`, `"NaN"`},
		"f4 real":              {`0.1`, `0.1`},
		"f8 double precision":  {`0.1`, `0.1`},
		"inf double precision": {`'-Infinity'`, `"-Infinity"`},
		"yes boolean":          {`true`, `true`},
		"raw bytea":            {`'\x00ff'`, `{"base64":"AP8="}`},
		"doc jsonb":            {`'{"a": [1, 2.50]}'`, `"{\"a\": [1, 2.50]}"`},
		"txt json":             {`'{"b":1,  "a":2}'`, `"{\"b\":1,  \"a\":2}"`},
		"key uuid":             {`'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'`, `"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"`},
		"day date":             {`'2024-02-29'`, `"2024-02-29"`},
		"instant timestamptz":  {`'2024-02-29 12:00:00.123456+02'`, `"2024-02-29T10:00:00.123456Z"`},
		"clock timestamp":      {`'2024-02-29 12:00:00.123456'`, `"2024-02-29T12:00:00.123456"`},
		"never timestamptz":    {`'infinity'`, `"infinity"`},
		"at time":              {`'23:59:59.5'`, `"23:59:59.5"`},
		"span interval":        {`'1 month 2 days 03:04:05'`, `"1 mon 2 days 03:04:05"`},
		"list int[]":           {`'{1,NULL,3}'`, `[1,null,3]`},
		"words text[]":         {`'{"a,b",c}'`, `["a,b","c"]`},
		"addr inet":            {`'10.0.0.1/8'`, `"10.0.0.1/8"`},
		"hours int4range":      {`'[1,5)'`, `"[1,5)"`},
		"padded char(4)":       {`'ab'`, `"ab  "`},
		"quoted text":          {`E'a"b\\c\nd\te\x01é'`, `"a\"b\\c\nd\te\u0001é"`},
		"none text":            {`NULL`, `null`},
		`"values" text`:        {`'column named like the table'`, `"column named like the table"`},
		"made int generated always as (id + 1) stored": {`DEFAULT`, `2`},
	}
	var ddl, names, values []string
	want := map[string]json.RawMessage{}
	for _, column := range slices.Sorted(maps.Keys(columns)) {
		v := columns[column]
		name, _, _ := strings.Cut(column, " ")
		ddl, names, values = append(ddl, column), append(names, name), append(values, v[0])
		want[strings.Trim(name, `"`)] = json.RawMessage(v[1])
	}
	must(t, db.Exec(`CREATE TABLE "values" (`+strings.Join(ddl, ", ")+`)`))
	insert := `INSERT INTO "values" (` + strings.Join(names, ", ") + `) VALUES (` + strings.Join(values, ", ") + `)`
	must(t, db.Exec(insert))
	// An update of every row through GORM, without a model: the keys come from
	// the catalog.
	must(t, db.Table("values").Where("id = 1").Delete(nil))
	var result struct{ Old map[string]json.RawMessage }
	events := trail(t, audit, event.Filter{})
	if len(events) != 1 || events[0].ActionObject != "values" || events[0].ActionObjectID != "1" {
		t.Fatalf("events: %+v", events)
	}
	if err := json.Unmarshal(events[0].Result, &result); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, result.Old); diff != "" {
		t.Error(diff)
	}
	must(t, db.Exec(insert))
	must(t, db.Table("values").Where("big > 3").Updates(map[string]any{"none": "some", "values": gorm.Expr(`upper("values")`)}))
	last := trail(t, audit, event.Filter{})[1]
	if string(last.Result) != `{"old":{"values":"column named like the table","none":null},"new":{"values":"COLUMN NAMED LIKE THE TABLE","none":"some"}}` {
		t.Errorf("%s", last.Result)
	}
}

// SQLite stores what it is given, whatever the column says.
func TestValuesOfSQLite(t *testing.T) {
	t.Parallel()
	for _, kind := range testdb.Kinds() {
		if !strings.HasPrefix(string(kind), "sqlite") {
			continue
		}
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			db, audit := install(t, testdb.New(t, kind))
			must(t, db.Exec("CREATE TABLE oddities (id integer primary key, moment datetime, flag boolean, amount decimal, anything)"))
			must(t, db.Exec("INSERT INTO oddities VALUES (1, 'not a time', 7, '1e3x', x'00ff'), (2, '2024-02-29 12:00:00.5+02:00', 1, 12.5, 9007199254740993)"))
			must(t, db.Table("oddities").Where("1 = 1").Update("anything", "same"))
			var got []string
			for _, e := range trail(t, audit, event.Filter{}) {
				got = append(got, e.ActionObjectID+" "+string(e.Result))
			}
			want := []string{
				`1 {"old":{"anything":{"base64":"AP8="}},"new":{"anything":"same"}}`,
				`2 {"old":{"anything":9007199254740993},"new":{"anything":"same"}}`,
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			must(t, db.Table("oddities").Where("1 = 1").Delete(nil))
			got = nil
			for _, e := range trail(t, audit, event.Filter{Action: event.ActionDeleted}) {
				got = append(got, string(e.Result))
			}
			want = []string{
				`{"old":{"id":1,"moment":"not a time","flag":7,"amount":"1e3x","anything":"same"}}`,
				`{"old":{"id":2,"moment":"2024-02-29T10:00:00.5Z","flag":true,"amount":12.5,"anything":"same"}}`,
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestValuesOfMariaDB(t *testing.T) {
	t.Parallel()
	db, audit := install(t, testdb.New(t, testdb.MariaDB))
	must(t, db.Exec("CREATE TABLE things (id bigint unsigned primary key, exact decimal(30,5), f float, d double, yes tinyint(1), "+
		"day date, moment datetime(6), stamp timestamp(3) null, at time(1), y year, raw varbinary(4), blb blob, txt text, pick enum('a','b'), doc json, bits bit(8))"))
	must(t, db.Exec("INSERT INTO things VALUES (18446744073709551615, 12345678901234567890.12345, 0.35113430, 0.1, 1, "+
		"'2024-02-29', '2024-02-29 12:00:00.120000', '2024-02-29 12:00:00.5', '23:59:59.5', 2024, x'00ff', x'01', 'a\"b', 'b', '{\"a\": 1.50}', b'00000101')"))
	must(t, db.Table("things").Where("1 = 1").Delete(nil))
	events := trail(t, audit, event.Filter{})
	want := `{"old":{"id":18446744073709551615,"exact":12345678901234567890.12345,"f":0.3511343,"d":0.1,"yes":1,` +
		`"day":"2024-02-29","moment":"2024-02-29T12:00:00.12","stamp":"2024-02-29T12:00:00.5","at":"23:59:59.5","y":2024,` +
		`"raw":{"base64":"AP8="},"blb":{"base64":"AQ=="},"txt":"a\"b","pick":"b","doc":"{\"a\": 1.50}","bits":{"base64":"BQ=="}}}`
	if len(events) != 1 || string(events[0].Result) != want {
		t.Errorf("%s\nwant %s", events[0].Result, want)
	}
}

// Ticket's values are made by everybody but the caller: hooks, the database's
// default, the clock.
type Ticket struct {
	ID        uint
	Code      string
	Priority  int       `gorm:"default:3"`
	Made      string    `gorm:"size:40;default:(lower('MADE'))"`
	CreatedAt time.Time `gorm:"autoCreateTime:milli"`
	Secret    string    `gorm:"-"`
	ReadOnly  string    `gorm:"->;default:fixed;size:20"`
}

// BeforeSave alters a value on its way.
func (x *Ticket) BeforeSave(*gorm.DB) error {
	x.Code = strings.ToUpper(x.Code)
	return nil
}

func TestValuesComeFromTheDatabase(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db := prepare(t, d)
		if err := db.AutoMigrate(&Ticket{}); err != nil {
			t.Fatal(err)
		}
		db, audit := use(t, db)
		x := Ticket{Code: "abc", ReadOnly: "ignored"}
		must(t, db.Create(&x))
		row := newest(t, trail(t, audit, event.Filter{}))
		for column, want := range map[string]string{"code": `"ABC"`, "priority": "3", "made": `"made"`, "read_only": `"fixed"`} {
			if string(row[column]) != want {
				t.Errorf("%s is %s, want %s", column, row[column], want)
			}
		}
		must(t, db.Select("code").Updates(&Ticket{ID: x.ID, Code: "xyz", Priority: 9}))
		if e := trail(t, audit, event.Filter{})[1]; string(e.Result) != `{"old":{"code":"ABC"},"new":{"code":"XYZ"}}` {
			t.Errorf("an update of selected columns: %s", e.Result)
		}
	})
}

func TestWhoAndWhere(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, audit := install(t, d)
		ctx := event.WithActor(context.Background(), "ann")
		ctx = event.WithRequest(ctx, event.Request{ID: "r1", TraceID: "t1", IPAddress: "203.0.113.9", UserAgent: "curl \xff"})
		ctx = event.WithReason(event.WithTenant(event.OnBehalfOf(ctx, "bob"), "acme"), "asked")
		ctx = event.WithMeta(ctx, "ticket", "77")
		before := time.Now().UTC().Truncate(time.Microsecond)
		must(t, db.WithContext(ctx).Create(&Product{SKU: "p"}))
		events := trail(t, audit, event.Filter{Actor: "ann", RequestID: "r1", Tenant: "acme"})
		if len(events) != 1 {
			t.Fatalf("%d events", len(events))
		}
		e := events[0]
		if e.Timestamp.Before(before) || e.Timestamp.After(time.Now()) || e.ID == "" || e.TransactionID == "" || e.Sequence == 0 {
			t.Errorf("stamps: %+v", e)
		}
		e.Timestamp, e.ID, e.TransactionID, e.Sequence, e.Result = time.Time{}, "", "", 0, nil
		want := event.Event{
			Category: "model", Action: "created", Actor: "ann", ActionObject: "Product", ActionObjectID: "p",
			Outcome: event.OutcomeSuccess, RequestID: "r1", TraceID: "t1", Tenant: "acme", Reason: "asked", OnBehalfOf: "bob",
			IPAddress: "203.0.113.9", UserAgent: "curl \uFFFD", Meta: map[string]string{"ticket": "77"}, SchemaVersion: 1,
		}
		if diff := cmp.Diff(want, e); diff != "" {
			t.Error(diff)
		}
	})
}

// Events cannot be made of SQLite's own JSON, as INSERT ... SELECT json_object()
// would: it loses digits in some versions, takes no bytes, and knows neither
// times nor booleans.
func TestJSONOfSQLiteIsAnother(t *testing.T) {
	t.Parallel()
	lost := 0
	for _, kind := range onSQLite {
		db, audit := install(t, testdb.New(t, kind))
		ddl(t, db, "CREATE TABLE cells (id INTEGER PRIMARY KEY, r REAL, at DATETIME, b BOOLEAN, x BLOB)")
		at := time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)
		must(t, db.Table("cells").Create(map[string]any{"id": 1, "r": 0.30000000000000004, "at": at, "b": true, "x": []byte{0, 255}}))
		var theirs string
		must(t, db.Raw("SELECT json_object('r', r, 'at', at, 'b', b) FROM cells").Scan(&theirs))
		if !strings.Contains(theirs, "0.30000000000000004") {
			lost++
		}
		if want := `"at":"2026-02-03 04:05:06+00:00","b":1}`; !strings.HasSuffix(theirs, want) {
			t.Errorf("%s: SQLite writes %s, which does not end in %s", kind, theirs, want)
		}
		if err := db.Raw("SELECT json_object('x', x) FROM cells").Scan(&theirs).Error; err == nil {
			t.Errorf("%s: SQLite writes bytes as %s", kind, theirs)
		}
		const ours = `{"new":{"id":1,"r":0.30000000000000004,"at":"2026-02-03T04:05:06Z","b":true,"x":{"base64":"AP8="}}}`
		if got := string(trail(t, audit, event.Filter{})[0].Result); got != ours {
			t.Errorf("%s: the event is %s, want %s", kind, got, ours)
		}
	}
	if lost == 0 {
		t.Error("no SQLite loses digits any more")
	}
}
