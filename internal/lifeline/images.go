// Package lifeline puts the events of one record together: what each of them
// says of the row, their order, and what the row was at any moment. It knows
// no database and no model; cells are JSON, as events have them.
package lifeline

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"reflect"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/redact"
)

// Row is a row, or a part of one: cells by column.
type Row map[string]json.RawMessage

// Images are the row before and after an event; what is not known is not there.
type Images struct {
	Old Row `json:"old"`
	New Row `json:"new"`
}

// ErrNoRow says that an event is not about a row.
var ErrNoRow = errors.New("the event is not about a row")

// ImagesOf returns what the event says of its row. The error wraps ErrNoRow when
// it is about none.
func ImagesOf(e event.Event) (Images, error) {
	var images Images
	if !AboutRow(e) {
		return images, fmt.Errorf("event %s (%s %s): %w", e.ID, e.Category, e.Action, ErrNoRow)
	}
	if len(e.Result) == 0 {
		return images, nil
	}
	if err := json.Unmarshal(e.Result, &images); err != nil {
		return Images{}, fmt.Errorf("event %s: result: %w", e.ID, err)
	}
	return images, nil
}

// AboutRow reports whether the event says what became of a row.
func AboutRow(e event.Event) bool {
	if e.Category != event.CategoryModel {
		return false
	}
	switch e.Action {
	case event.ActionCreated, event.ActionChanged, event.ActionDeleted, event.ActionRestored:
		return true
	}
	return false
}

// Masked reports whether a cell, or something within it, was kept out of the
// trail.
func Masked(cell json.RawMessage) bool { return bytes.Contains(cell, []byte(redact.Mask)) }

// Same reports whether two cells have the same value, however it is written.
func Same(a, b json.RawMessage) bool {
	if bytes.Equal(a, b) {
		return true
	}
	x, err := decode(a)
	if err != nil {
		return false
	}
	y, err := decode(b)
	return err == nil && same(x, y)
}

func decode(cell json.RawMessage) (value any, err error) {
	decoder := json.NewDecoder(bytes.NewReader(cell))
	decoder.UseNumber()
	err = decoder.Decode(&value)
	return value, err
}

func same(a, b any) bool {
	x, number := a.(json.Number)
	y, too := b.(json.Number)
	if !number || !too {
		return reflect.DeepEqual(a, b)
	}
	p, ok := new(big.Rat).SetString(x.String())
	q, both := new(big.Rat).SetString(y.String())
	return ok && both && p.Cmp(q) == 0
}
