package history

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"gorm.io/gorm/schema"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/hooks"
)

// keyOf returns the values of the key columns, as the model has them.
func (r *records) keyOf(ctx context.Context, key any) ([]any, error) {
	fields := r.schema.PrimaryFields
	value := reflect.Indirect(reflect.ValueOf(key))
	if value.IsValid() && value.Type() == r.schema.ModelType {
		values := make([]any, len(fields))
		for i, field := range fields {
			values[i], _ = field.ValueOf(ctx, value)
		}
		return values, nil
	}
	given, err := r.parts(key)
	if err != nil {
		return nil, err
	}
	model := reflect.New(r.schema.ModelType).Elem()
	values := make([]any, len(fields))
	for i, field := range fields {
		if err := set(ctx, field, model, given[i]); err != nil {
			return nil, fmt.Errorf("history: %w", &event.FieldError{
				Field: r.schema.Name + "." + field.Name, Value: fmt.Sprint(given[i]),
				Reason: fmt.Sprintf("is a %T, which is no key of type %s (%v)", given[i], field.FieldType, err),
			})
		}
		values[i], _ = field.ValueOf(ctx, model)
	}
	return values, nil
}

// parts returns the values of a key, one for each column.
func (r *records) parts(key any) ([]any, error) {
	columns := r.schema.PrimaryFieldDBNames
	id, isID := key.(ID)
	if len(columns) == 1 {
		if isID {
			key = textOrBytes(string(id))
		}
		return []any{key}, nil
	}
	var parts []any
	if isID {
		parts = idParts(id)
	} else if value := reflect.ValueOf(key); key != nil && (value.Kind() == reflect.Slice || value.Kind() == reflect.Array) {
		for i := range value.Len() {
			parts = append(parts, value.Index(i).Interface())
		}
	}
	if len(parts) != len(columns) {
		return nil, fmt.Errorf("history: %w", &event.FieldError{
			Field: r.schema.Name, Value: fmt.Sprint(key),
			Reason: fmt.Sprintf("is no key; pass []any with the %d values of %q, or the ID of an event", len(columns), columns),
		})
	}
	return parts, nil
}

// idParts returns the values of a composite key as texts, none when the id is
// of no such key.
func idParts(id ID) (parts []any) {
	var cells []json.RawMessage
	if json.Unmarshal([]byte(id), &cells) != nil {
		return nil
	}
	for _, cell := range cells {
		text := string(cell)
		if plain := ""; json.Unmarshal(cell, &plain) == nil {
			text = plain
		}
		parts = append(parts, textOrBytes(text))
	}
	return parts
}

// textOrBytes returns a part of an id as a model's field takes it.
func textOrBytes(part string) any {
	var object struct{ Base64 []byte }
	if strings.HasPrefix(part, `{"base64":"`) && json.Unmarshal([]byte(part), &object) == nil {
		return object.Base64
	}
	return part
}

// set sets a key field, to nothing but the value itself.
func set(ctx context.Context, field *schema.Field, model reflect.Value, value any) error {
	if value == nil {
		return fmt.Errorf("nothing is no key")
	}
	if err := field.Set(ctx, model, value); err != nil {
		return err
	}
	is, _ := field.ValueOf(ctx, model)
	switch reflect.Indirect(reflect.ValueOf(is)).Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Float32, reflect.Float64:
		given := reflect.Indirect(reflect.ValueOf(value))
		if got, want := fmt.Sprint(reflect.Indirect(reflect.ValueOf(is))), fmt.Sprint(given); got != want {
			return fmt.Errorf("it would be %s", got)
		}
	}
	return nil
}

// idOf returns the id that the events of the record with the key carry. An ID
// stands for itself.
func (r *records) idOf(ctx context.Context, key any) (string, error) {
	if id, ok := key.(ID); ok {
		return string(id), nil
	}
	values, err := r.keyOf(ctx, key)
	if err != nil {
		return "", err
	}
	if id, ok := r.plainID(values); ok {
		return id, nil
	}
	table, err := r.table(r.db)
	if text, isText := values[0].(string); err != nil && isText && r.single() && !r.db.Migrator().HasTable(r.model) {
		return text, nil // the trail is all that is left
	}
	if err != nil {
		return "", err
	}
	return r.storedID(table, values)
}

// single reports whether ids are the key as it is: one column that nothing masks.
func (r *records) single() bool {
	columns := r.schema.PrimaryFieldDBNames
	return len(columns) == 1 && !r.reader.Masks(r.db, r.model, columns[0])
}

// plainID returns the id of a key that looks the same everywhere: a whole
// number.
func (r *records) plainID(values []any) (string, bool) {
	if !r.single() {
		return "", false
	}
	switch values[0].(type) { // of these types themselves: others may be stored as something else
	case int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64:
		return fmt.Sprint(values[0]), true
	}
	return "", false
}

// storedID returns the id of the row that is there, otherwise the one that it
// would have.
func (r *records) storedID(table *hooks.Table, values []any) (string, error) {
	rows, err := table.Rows([][]any{values}, false)
	if err != nil {
		return "", fmt.Errorf("history: %w", err)
	}
	if len(rows) == 1 {
		return rows[0].ID, nil
	}
	cells := map[string]json.RawMessage{}
	for i, column := range table.Keys() {
		if cells[column], err = r.cell(table, column, values[i]); err != nil {
			return "", err
		}
	}
	return table.IDOf(cells), nil
}
