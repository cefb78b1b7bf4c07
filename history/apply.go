package history

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/eventaudit/eventaudit/hooks"
	"github.com/eventaudit/eventaudit/internal/lifeline"
)

// apply carries out the operations in a transaction, and makes sure of each.
func (p *planner) apply(ctx context.Context, tx *gorm.DB, operations []Operation) error {
	tables := map[string]*hooks.Table{}
	for _, op := range operations {
		t := p.known[op.Object]
		if tables[op.Object] == nil {
			var err error
			if tables[op.Object], err = t.table(tx); err != nil {
				return err
			}
		}
		if err := op.run(tx.WithContext(ctx), t, tables[op.Object]); err != nil {
			return fmt.Errorf("history: %s %s %s: %w", op.Verb, op.Object, op.ID, err)
		}
	}
	return nil
}

// run carries out one operation on a row that is as it was when it was planned.
func (op Operation) run(tx *gorm.DB, t *target, table *hooks.Table) error {
	key, err := table.Key(op.ID)
	if err != nil {
		return err
	}
	switch is, err := locked(table, key); {
	case err != nil:
		return err
	case !maps.EqualFunc(given(table, is), given(table, op.now), lifeline.Same):
		return fmt.Errorf("%w: %w", ErrConflict, ErrChangedSince)
	}
	values := make(map[string]any, len(op.row))
	for column, cell := range op.row {
		values[column] = table.Value(column, cell)
	}
	statement := t.statement(tx)
	switch op.Verb {
	case Insert:
		err = overriding(statement).Create(values).Error
	case Update:
		err = table.Where(statement, key).UpdateColumns(values).Error
	case Delete:
		err = table.Where(statement, key).Delete(t.newModel()).Error
	}
	if err != nil {
		return err
	}
	return op.check(table)
}

// statement begins a statement about the rows of the target, soft-deleted ones
// too. Hooks of the model would change what is restored.
func (t *target) statement(tx *gorm.DB) *gorm.DB {
	tx = tx.Session(&gorm.Session{NewDB: true, SkipHooks: true}).Unscoped()
	if name, ok := t.model.(string); ok {
		return tx.Table(name)
	}
	return tx.Model(t.newModel())
}

// overriding has PostgreSQL take the value of a column that is GENERATED ALWAYS
// AS IDENTITY, which it would choose itself.
func overriding(tx *gorm.DB) *gorm.DB {
	if tx.Name() != "postgres" {
		return tx
	}
	tx.ClauseBuilders = maps.Clone(tx.ClauseBuilders) // those of this session
	tx.ClauseBuilders[clause.Values{}.Name()] = func(c clause.Clause, to clause.Builder) {
		values, ok := c.Expression.(clause.Values)
		if !ok || len(values.Values) != 1 { // not the one row
			c.Build(to)
			return
		}
		columns := make([]any, len(values.Columns))
		for i, column := range values.Columns {
			columns[i] = column
		}
		clause.Expr{SQL: "? OVERRIDING SYSTEM VALUE VALUES ?", Vars: []any{columns, values.Values[0]}}.Build(to)
	}
	return tx
}

// newModel returns a new value of the model, nil where there is no model.
func (t *target) newModel() any {
	if t.schema == nil {
		return nil
	}
	return reflect.New(t.schema.ModelType).Interface()
}

// locked returns the row with the key, to stay as it is; nil when there is none.
func locked(table *hooks.Table, key []any) (lifeline.Row, error) {
	found, err := table.Rows([][]any{key}, true)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0].Cells, nil
}

// given returns a row without the columns that are computed from the others,
// which are not known of a row as an operation before is going to leave it.
func given(table *hooks.Table, row lifeline.Row) lifeline.Row {
	row = maps.Clone(row)
	maps.DeleteFunc(row, func(column string, _ json.RawMessage) bool { return table.Generated(column) })
	return row
}

// check makes sure that the row is what it was: a trigger may have another
// opinion, and GORM leaves out columns that a model may not write.
func (op Operation) check(table *hooks.Table) error {
	id := op.ID
	if op.Verb == Update {
		then := maps.Clone(op.now)
		maps.Copy(then, op.row)
		id = table.IDOf(then)
	}
	key, err := table.Key(id)
	if err != nil {
		return err
	}
	is, err := locked(table, key)
	switch {
	case err != nil:
		return err
	case op.Verb == Delete && is != nil, op.Verb != Delete && is == nil:
		return fmt.Errorf("%w: the row is not what it was", ErrNotRestored)
	}
	for column, want := range op.row {
		if !lifeline.Same(is[column], want) {
			return fmt.Errorf("%w: column %s is %s, and was %s", ErrNotRestored, column, is[column], want)
		}
	}
	return nil
}
