package hooks

import (
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"github.com/eventaudit/eventaudit/event"
)

// table is what capture knows about a table of the app as one statement names
// it: with this model, or with none.
type table struct {
	// object is the ActionObject of its events.
	object string
	// schema and name are the real ones, without an alias; schema may be
	// empty.
	schema, name string
	audited      bool
	// keys are the columns of the primary key, in schema order; empty when
	// the table has none.
	keys  []string
	rules *columnRules
	// facts is nil until the first change of the table is captured.
	facts *facts
	// learned is when the catalog told them.
	learned time.Time
	// layouts has what is known of its columns, texts how its statements are run.
	layouts *layouts
	texts   *texts
	// quote quotes an identifier.
	quote func(string) string
	// folds says that the case of column names does not count.
	folds bool
	// link is set for a join table.
	link *link
}

// facts are what the catalog says about a table.
type facts struct {
	// columns are all columns in order.
	columns []string
	// types are the declared types by column, where they are needed to tell
	// values apart.
	types map[string]string
	// uniques are the unique indexes, the primary key first.
	uniques uniqueIndexes
	// fires says that PostgreSQL has triggers of any kind for the table, or may
	// read others by itself when it changes.
	fires bool
	// triggers says that triggers may change a row after RETURNING saw it.
	triggers bool
	// restores says that triggers may insert a row again that was deleted.
	restores bool
	// bodies are the triggers of the database that may move keys, and moves
	// says that they do.
	bodies []trigger
	moves  bool
	// replaces says that a constraint of an SQLite table deletes the rows in
	// the way of others.
	replaces bool
	// composed says that the table is made of others (partitions, a view), so
	// that its rows have no system columns.
	composed bool
	// inherited says that other tables inherit from it, whose rows may have the
	// same keys.
	inherited bool
	// virtual says that a module of SQLite keeps the rows: a text index, an
	// R-tree. Updates and deletes of them cannot return rows, and inserts do not
	// return the ids that they made.
	virtual bool
	// ruled says that PostgreSQL may rewrite statements about the table.
	ruled bool
	// autoIncrement is the column of that kind, where the database has such.
	autoIncrement string
	// defaulted are the generated columns, and on SQLite also those that it
	// fills in when an INSERT does not name them.
	defaulted []string
	// id is what PostgreSQL knows the table by; one that is made anew has
	// another.
	id int64
	// generated are the columns that are computed from others.
	generated []string
	// made are the columns that PostgreSQL makes a value for, each time
	// another: from a sequence or by a function.
	made []string
	// bits are the columns that compare with numbers and not with the bytes
	// that drivers and models have for them.
	bits []string
	// invisible are the columns that "*" leaves out, on MariaDB and MySQL.
	invisible []string
	// bytes are the columns of bytes that are no text, on MySQL.
	bytes []string
	// transactional says that a savepoint holds for the table; only MySQL has
	// tables for which it does not.
	transactional bool
	// version changes with the schema, where the columns must be named.
	version int64
}

// column returns the name of a column as the catalog spells it.
func (t *table) column(name string) (string, bool) {
	for _, column := range t.facts.columns {
		if column == name {
			return column, true
		}
	}
	for _, column := range t.facts.columns {
		if t.same(column, name) {
			return column, true
		}
	}
	return "", false
}

// same reports whether two names are one column.
func (t *table) same(a, b string) bool { return a == b || t.folds && strings.EqualFold(a, b) }

// among reports whether the column is one of the names.
func (t *table) among(names []string, column string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return t.same(name, column) })
}

// sameColumns reports whether two sets of names are the same columns.
func (t *table) sameColumns(a, b []string) bool {
	return len(a) == len(b) && !slices.ContainsFunc(b, func(name string) bool { return !t.among(a, name) })
}

// identify chooses the columns that tell rows apart: the model's key where the
// catalog says that it is one, otherwise the primary key or another unique
// index without nulls. Without any, the table has no keys.
func (t *table) identify(modelKeys []string) {
	var named []string
	for _, key := range modelKeys {
		if column, ok := t.column(key); ok {
			named = append(named, column)
		}
	}
	for _, index := range t.facts.uniques {
		covered := !slices.ContainsFunc(index.columns, func(c string) bool { return !slices.Contains(named, c) })
		if (index.whole || index.primary) && covered && len(named) == len(modelKeys) {
			t.keys = named
			return
		}
	}
	t.keys = nil
	for _, index := range t.facts.uniques {
		if index.whole || index.primary {
			t.keys = index.columns
			return
		}
	}
}

// nullableKey reports whether the key of a row may be null, even the primary key
// on SQLite.
func (t *table) nullableKey() bool {
	return slices.ContainsFunc(t.facts.uniques, func(index uniqueIndex) bool {
		return !index.whole && t.sameColumns(index.columns, t.keys)
	})
}

// quoted returns the real name for use in SQL.
func (t *table) quoted() string {
	if t.schema == "" {
		return t.quote(t.name)
	}
	return t.quote(t.schema) + "." + t.quote(t.name)
}

// columnRules are what struct tags say about the columns of a table. They are
// shared by all models of the table, so that a write without the model is
// masked too once the model was seen.
type columnRules struct {
	mutex                       sync.RWMutex
	redact, drop, ignore, erase []string
	// version grows whenever a model adds rules.
	version int
}

// tableKey is a table as statements name it.
type tableKey struct {
	schema *schema.Schema
	expr   string
	name   string
}

func keyOf(stmt *gorm.Statement) tableKey {
	key := tableKey{schema: stmt.Schema, name: stmt.Table}
	if stmt.TableExpr != nil {
		key.expr = stmt.TableExpr.SQL
	}
	return key
}

// quoter quotes one name, whatever is in it; GORM's own would cut it at dots.
func quoter(in syntax) func(string) string {
	quote := "`" // in SQLite double quotes may make a string of a name
	if in == postgresSyntax {
		quote = `"`
	}
	return func(name string) string {
		return quote + strings.ReplaceAll(name, quote, quote+quote) + quote
	}
}

// tables is the cache of them. Reading it takes no lock and no allocation.
type tables struct {
	known atomic.Pointer[map[tableKey]*table]
	mutex sync.Mutex
	rules map[string]*columnRules
	// others are the tables that the catalog of PostgreSQL told of, by its id.
	others map[placed]*table
}

func (ts *tables) get(key tableKey) *table {
	if known := ts.known.Load(); known != nil {
		return (*known)[key]
	}
	return nil
}

func (ts *tables) put(key tableKey, t *table) {
	ts.mutex.Lock()
	defer ts.mutex.Unlock()
	grown := map[tableKey]*table{key: t}
	if known := ts.known.Load(); known != nil {
		for k, v := range *known {
			if k != key {
				grown[k] = v
			}
		}
	}
	ts.known.Store(&grown)
	if t.facts == nil || t.facts.id == 0 {
		return
	}
	if ts.others == nil || len(ts.others) == maxOthers {
		ts.others = map[placed]*table{}
	}
	ts.others[placed{key, t.facts.id}] = t
}

// placed is one of the tables that a name leads to.
type placed struct {
	key tableKey
	id  int64
}

// maxOthers is how many tables are remembered for those that share a name, as
// the ones of many tenants, or temporary ones, do.
const maxOthers = 1024

// other returns what was known of one of the tables that share a name.
func (ts *tables) other(key tableKey, id int64) *table {
	ts.mutex.Lock()
	defer ts.mutex.Unlock()
	return ts.others[placed{key, id}]
}

// forget drops everything the catalog said, after a change of the schema.
func (ts *tables) forget() {
	ts.mutex.Lock()
	defer ts.mutex.Unlock()
	ts.known.Store(nil)
	ts.others = nil
}

// rulesOf returns the rules of the table, with those of the model added.
func (ts *tables) rulesOf(t *table, model *schema.Schema) (*columnRules, error) {
	ts.mutex.Lock()
	defer ts.mutex.Unlock()
	if ts.rules == nil {
		ts.rules = map[string]*columnRules{}
	}
	name := t.name // in whichever schema: a name more or less must not unmask
	rules := ts.rules[name]
	if rules == nil {
		rules = &columnRules{}
		ts.rules[name] = rules
	}
	if model == nil {
		return rules, nil
	}
	return rules, rules.add(model)
}

// tableOf returns the table of a statement, nil when its changes are not
// recorded.
func (c *capturer) tableOf(db *gorm.DB) (*table, error) {
	stmt := db.Statement
	key := keyOf(stmt)
	t := c.tables.get(key)
	if t == nil {
		var err error
		if t, err = c.resolve(db, key); err != nil {
			return nil, err
		}
		c.tables.put(key, t)
	}
	if !t.audited {
		return nil, nil
	}
	return t, nil
}

// resolve finds out about a table what needs no catalog.
func (c *capturer) resolve(db *gorm.DB, key tableKey) (*table, error) {
	t := &table{name: key.name, quote: quoter(c.dialect.syntax), folds: c.dialect.folds, layouts: &layouts{}}
	if key.expr != "" {
		t.schema, t.name = realName(key.expr)
	} else if strings.Contains(key.name, ".") {
		t.schema, t.name = realName(key.name)
	}
	t.object = t.name
	model := key.schema
	if model != nil && model.ModelType.Name() != "" && ownTable(model, t) {
		t.object = model.Name
		if c.Met != nil {
			c.Met(t.object, model.ModelType)
		}
	}
	if t.name == "" {
		return t, nil
	}
	t.audited = c.Audited(t.object, t.name)
	if model != nil {
		c.models.met(t)
		t.link = linkOf(model)
	}
	var err error
	t.rules, err = c.tables.rulesOf(t, model)
	return t, err
}

// ownTable reports whether the table is the one that the model names as its
// own. A model written to another table does not lend it its name, or the
// histories of two records would mix.
func ownTable(model *schema.Schema, t *table) bool {
	_, name := realName(model.Table)
	return name == t.name
}

// realName splits a table expression into schema and table, without quotes
// and alias.
func realName(expr string) (schemaName, table string) {
	expr = strings.TrimSpace(expr)
	var parts []string
	var part strings.Builder
	var quote byte
scan:
	for i := 0; i < len(expr); i++ {
		switch b := expr[i]; {
		case quote != 0 && b == quote:
			quote = 0
		case quote != 0:
			part.WriteByte(b)
		case b == '"' || b == '`':
			quote = b
		case b == '.':
			parts = append(parts, part.String())
			part.Reset()
		case b == ' ' || b == '\t' || b == '\n':
			break scan
		default:
			part.WriteByte(b)
		}
	}
	parts = append(parts, part.String())
	if n := len(parts); n > 1 {
		return parts[n-2], parts[n-1]
	}
	return "", parts[0]
}

// add takes over what the model's struct tags say.
func (r *columnRules) add(model *schema.Schema) error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.version++
	for _, field := range model.Fields {
		if field.DBName == "" {
			continue
		}
		for _, tag := range auditTags(model, field) {
			var list *[]string
			switch tag {
			case "redact":
				list = &r.redact
			case "-":
				list = &r.drop
			case "ignore":
				list = &r.ignore
			default:
				return &event.FieldError{
					Field: model.Name + "." + field.Name, Value: tag,
					Reason: `is not an audit tag; use audit:"redact", audit:"-" or audit:"ignore"`,
				}
			}
			if !slices.Contains(*list, field.DBName) {
				*list = append(*list, field.DBName)
			}
		}
		if _, soft := reflect.New(field.IndirectFieldType).Interface().(schema.DeleteClausesInterface); soft &&
			!slices.Contains(r.erase, field.DBName) {
			r.erase = append(r.erase, field.DBName)
		}
	}
	return nil
}

// auditTags returns the audit tags of a field and of the structs that it is
// embedded in.
func auditTags(model *schema.Schema, field *schema.Field) []string {
	var tags []string
	within := model.ModelType
	for _, index := range field.StructField.Index {
		if index < 0 { // GORM marks a step through a pointer so.
			index = -index - 1
		}
		for within.Kind() == reflect.Pointer {
			within = within.Elem()
		}
		step := within.Field(index)
		if value, ok := step.Tag.Lookup("audit"); ok {
			for tag := range strings.SplitSeq(value, ",") {
				tags = append(tags, strings.TrimSpace(tag))
			}
		}
		within = step.Type
	}
	return tags
}
