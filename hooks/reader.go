package hooks

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/internal/connpool"
	"github.com/eventaudit/eventaudit/internal/redact"
)

// Reader reads rows in the form that events have them, and turns that form back
// into rows; package history asks for it. It is safe for concurrent use.
type Reader struct {
	mask     *redact.Matcher
	dialect  dialect
	replayer replayer
}

// NewReader returns a Reader for the kind of database behind db. Redact are the
// patterns that the capture has, see Options.Redact: the id of a row whose key
// is masked is a digest.
func NewReader(db *gorm.DB, redacted []string) (*Reader, error) {
	mask, err := redact.New(redacted)
	if err != nil {
		return nil, err
	}
	d, err := dialectOf(db)
	if err != nil {
		return nil, err
	}
	r := &Reader{mask: mask, dialect: d}
	r.replayer = newReplayer(r)
	return r, nil
}

// ErrNoKey says that nothing tells the rows of a table apart.
var ErrNoKey = errors.New("the table has no primary key")

// Table is a table of the app, as it is at the moment of Reader.Table, by the
// connection or transaction that was given there. It is for one goroutine.
type Table struct {
	statement *statement
	// types are the database's names of the columns' types.
	types map[string]string
}

// Stored is a row as it is in the database.
type Stored struct {
	// ID is the ActionObjectID of its events.
	ID string
	// Cells are all its columns, unmasked, as JSON.
	Cells map[string]json.RawMessage
}

// Object returns the ActionObject of the events of a model.
func (r *Reader) Object(db *gorm.DB, model any) (string, error) {
	_, known, err := r.resolve(db, model)
	if err != nil {
		return "", err
	}
	return known.object, nil
}

// Masks reports whether the values of a column never reach the trail.
func (r *Reader) Masks(db *gorm.DB, model any, column string) bool {
	_, known, err := r.resolve(db, model)
	if err != nil {
		return true
	}
	return r.mask.Match(column) || known.among(known.rules.redact, column) || known.among(known.rules.drop, column)
}

// resolve returns a statement about a model, or about the table of a name, and
// what is known of that without the catalog.
func (r *Reader) resolve(tx *gorm.DB, model any) (*interceptor, *table, error) {
	c := &capturer{mask: r.mask, dialect: r.dialect, replayer: r.replayer}
	c.Audited = func(string, string) bool { return true }
	c.Transactions = &Transactions{}
	db := tx.Session(&gorm.Session{NewDB: true, Context: tx.Statement.Context})
	if name, ok := model.(string); ok {
		db = db.Table(name)
	} else {
		db = db.Model(model)
		if err := db.Statement.Parse(model); err != nil {
			return nil, nil, fmt.Errorf("hooks: %T: %w", model, err)
		}
	}
	db.Statement.ConnPool = tx.Statement.ConnPool
	known, err := c.tableOf(db)
	return &interceptor{ConnPool: tx.Statement.ConnPool, capturer: c, db: db, table: known}, known, err
}

// Table asks the catalog about the table of a model, or, where model is a
// string, about the table of that name. The error wraps ErrNoKey when its rows
// cannot be told apart.
func (r *Reader) Table(tx *gorm.DB, model any) (*Table, error) {
	i, _, err := r.resolve(tx, model)
	if err != nil {
		return nil, err
	}
	ctx := i.db.Statement.Context
	s := &statement{interceptor: i, ctx: ctx, own: ctx, wantsAll: true}
	if err := s.ask(); err != nil {
		return nil, err
	}
	if len(s.table.keys) == 0 {
		return nil, fmt.Errorf("hooks: %s: %w", s.table.quoted(), ErrNoKey)
	}
	t := &Table{statement: s, types: s.table.facts.types}
	if t.types == nil {
		err = t.learnTypes()
	}
	return t, err
}

// learnTypes takes the types from a result, where the catalog has others.
func (t *Table) learnTypes() error {
	s := t.statement
	none, err := fetch(s.own, connpool.Unwrap(s.ConnPool), "SELECT "+s.dialect.row(s.table, s.table.quoted())+" FROM "+s.table.quoted()+" WHERE 1 = 0", nil, reading{keep: true})
	if err != nil {
		return err
	}
	t.types = map[string]string{}
	for _, column := range none.columns {
		t.types[column.name] = column.typeName
	}
	return nil
}

// Object is the ActionObject of the events of the table.
func (t *Table) Object() string { return t.statement.table.object }

// Columns are all its columns, in order.
func (t *Table) Columns() []string { return t.statement.table.facts.columns }

// Keys are the columns that tell its rows apart, in the order that ids have.
func (t *Table) Keys() []string { return t.statement.table.keys }

// Generated reports whether the database computes the column from others.
func (t *Table) Generated(column string) bool {
	return t.statement.table.among(t.statement.table.facts.generated, column)
}

// Silent reports whether the column may change without an event.
func (t *Table) Silent(column string) bool {
	rules := t.statement.table.rules
	rules.mutex.RLock()
	defer rules.mutex.RUnlock()
	return t.statement.table.among(rules.ignore, column) || t.statement.table.among(rules.drop, column)
}

// SoftDeleted reports whether a row with these cells is soft-deleted.
func (t *Table) SoftDeleted(cells map[string]json.RawMessage) bool {
	set, row := &images{layout: t.statement.layOut(t.statement.table, t.Columns())}, image{}
	for _, column := range t.Columns() {
		cell, ok := cells[column]
		if !ok {
			cell = json.RawMessage("null")
		}
		row.cells = append(row.cells, cell)
	}
	return set.erased(row)
}

// Rows returns the rows that have one of the keys, each the values of the Keys
// columns. With lock they stay as they are until the transaction ends.
func (t *Table) Rows(keys [][]any, lock bool) ([]Stored, error) {
	s, how := t.statement, look{}
	if lock {
		how.lock = s.dialect.keyLock
		if err := s.takeWriteLock(); err != nil {
			return nil, err
		}
	}
	return t.stored(s.rowsBy(how, s.table.keys, keys))
}

// RowsBy returns the rows that have the values in the columns.
func (t *Table) RowsBy(columns []string, values []any) ([]Stored, error) {
	return t.stored(t.statement.rowsBy(look{}, columns, [][]any{values}))
}

func (t *Table) stored(set *images, err error) ([]Stored, error) {
	if err != nil {
		return nil, err
	}
	rows := make([]Stored, len(set.rows))
	for i, row := range set.rows {
		rows[i] = Stored{ID: set.objectID(row), Cells: map[string]json.RawMessage{}}
		for j, column := range set.columns {
			rows[i].Cells[column.name] = row.cell(j)
		}
	}
	return rows, nil
}

// IDOf returns the id that the events of a row with these cells carry.
func (t *Table) IDOf(cells map[string]json.RawMessage) string {
	set := &images{layout: t.statement.layOut(t.statement.table, t.Keys())}
	row := image{}
	for _, key := range t.Keys() {
		row.cells = append(row.cells, cells[key])
	}
	return set.objectID(row)
}

// Cell returns the value of a model's field as the cell of a row.
func (t *Table) Cell(column string, value any) (json.RawMessage, error) {
	if _, unsigned := value.(uint64); !unsigned { // database/sql takes no large ones
		var err error
		if value, err = driver.DefaultParameterConverter.ConvertValue(value); err != nil {
			return nil, fmt.Errorf("hooks: column %s: %w", column, err)
		}
	}
	return t.statement.dialect.encode(nil, value, t.types[column]), nil
}

// Key returns the values of the key columns for Rows, by the id of events.
func (t *Table) Key(id string) ([]any, error) {
	if len(t.Keys()) == 1 {
		return []any{t.keyValue(t.Keys()[0], id)}, nil
	}
	var parts []json.RawMessage
	if err := json.Unmarshal([]byte(id), &parts); err != nil || len(parts) != len(t.Keys()) {
		return nil, fmt.Errorf("hooks: %q is not the id of a row of %s, which is a JSON array of %s", id, t.statement.table.quoted(), strings.Join(t.Keys(), ", "))
	}
	key := make([]any, len(parts))
	for i, part := range parts {
		var plain string
		if json.Unmarshal(part, &plain) != nil {
			plain = string(part)
		}
		key[i] = t.keyValue(t.Keys()[i], plain)
	}
	return key, nil
}

// keyValue turns the text of a key into something that its column compares with.
func (t *Table) keyValue(column, plain string) any {
	var bytes struct{ Base64 []byte }
	if strings.HasPrefix(plain, `{"base64":"`) && json.Unmarshal([]byte(plain), &bytes) == nil {
		return t.Value(column, json.RawMessage(plain))
	}
	if t.statement.dialect.syntax == sqliteSyntax && (strings.HasPrefix(t.types[column], "BOOL") || t.types[column] == "") {
		if json.Valid([]byte(plain)) {
			return t.Value(column, json.RawMessage(plain))
		}
	}
	return plain
}

// Where writes the condition that a row has the key.
func (t *Table) Where(tx *gorm.DB, key []any) *gorm.DB {
	for i, column := range t.Keys() {
		tx = tx.Where(t.statement.table.quote(column)+" = ?", t.statement.table.comparable(column, key[i]))
	}
	return tx
}

// Scan returns rows as the driver would return them. Columns that the table
// does not have are passed over.
func (t *Table) Scan(ctx context.Context, rows []map[string]json.RawMessage) (*sql.Rows, error) {
	if t.statement.dialect.documents {
		return t.populate(ctx, rows)
	}
	decode, err := t.decoder(ctx)
	if err != nil {
		return nil, err
	}
	b := &buffer{}
	for _, column := range t.Columns() {
		b.columns = append(b.columns, bufferColumn{name: column, typeName: t.types[column]})
	}
	for _, row := range rows {
		values := make([]any, len(b.columns))
		for i, column := range b.columns {
			if cell, ok := row[column.name]; ok {
				if values[i], err = decode(cell, column.typeName); err != nil {
					return nil, fmt.Errorf("hooks: column %s: %w", column.name, err)
				}
			}
		}
		b.values = append(b.values, values)
	}
	return t.statement.replayer.rows(b)
}

// populate has PostgreSQL turn documents into rows, as the inverse of
// row_to_json.
func (t *Table) populate(ctx context.Context, rows []map[string]json.RawMessage) (*sql.Rows, error) {
	all := []byte{'['}
	for i, row := range rows {
		if i > 0 {
			all = append(all, ',')
		}
		all = t.appendDocument(all, row)
	}
	return connpool.Unwrap(t.statement.ConnPool).QueryContext(ctx, "SELECT "+t.populated(rows)+
		" FROM json_populate_recordset("+t.rowType()+", $1::json)", string(append(all, ']')))
}

// populated is the list of the columns of the rows. Where one holds the null of
// JSON the documents have that of SQL.
func (t *Table) populated(rows []map[string]json.RawMessage) string {
	list := make([]string, 0, len(t.Columns()))
	for _, column := range t.Columns() {
		name, nulls := t.statement.table.quote(column), []string(nil)
		for i, row := range rows {
			if isJSON(t.types[column]) && string(row[column]) == jsonNull {
				nulls = append(nulls, strconv.Itoa(i+1))
			}
		}
		if len(nulls) > 0 {
			name = "CASE WHEN row_number() OVER () IN (" + strings.Join(nulls, ",") + ") THEN 'null'::" + t.types[column] + " ELSE " + name + " END AS " + name
		}
		list = append(list, name)
	}
	return strings.Join(list, ",")
}

// rowType is a null of the table's row type. A prepared statement does not
// notice when that becomes another, so that its text has to change with it.
func (t *Table) rowType() string {
	var columns strings.Builder
	for _, column := range t.Columns() {
		columns.WriteString(column + " " + t.types[column] + "\n")
	}
	version := sha256.Sum256([]byte(columns.String()))
	return fmt.Sprintf("NULL::%s /* %d %x */", t.statement.table.quoted(), t.statement.table.facts.id, version[:8])
}

// appendDocument appends a row as row_to_json would write it.
func (t *Table) appendDocument(into []byte, row map[string]json.RawMessage) []byte {
	into = append(into, '{')
	first := true
	for _, column := range t.Columns() {
		cell, ok := row[column]
		if !ok {
			continue
		}
		if !first {
			into = append(into, ',')
		}
		first = false
		into = append(appendString(into, column), ':')
		into = append(into, documentCell(cell, t.types[column])...)
	}
	return append(into, '}')
}
