package history

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/hooks"
	"github.com/eventaudit/eventaudit/internal/lifeline"
)

// Snapshot is a record at a moment.
type Snapshot[T any] struct {
	// At is the moment.
	At time.Time
	// Exists says that there was a row with the key. Soft-deleted rows exist.
	Exists bool
	// Deleted says that it was soft-deleted.
	Deleted bool
	// Record is the row in the app's own type, read as GORM reads it, without
	// the model's hooks. Fields that are Unknown have their zero value.
	Record T
	// Cells are the columns that are known, as JSON; also those that the model
	// or the table has no longer.
	Cells map[string]json.RawMessage
	// Unknown are the columns whose value at the moment cannot be told: masked,
	// kept out of the trail, or changed outside of it.
	Unknown []string
	// Event is the last event before, which made the record so; nil when the
	// record is older than its first event, and what the snapshot says was
	// found out from what came after.
	Event *event.Event
	// model names the fields for Diff.
	model *schema.Schema
}

// AsOf returns the record that had the key at the moment. It goes back from the
// row as it is now, or was last, through the events; so it also answers for
// records that were there before the trail.
//
// What it cannot know it says: a moment before the trail's first event of the
// model is ErrBeforeTrail, since nobody can tell then whether its rows were
// tracked, and under which name (see FormerNames); a record that neither the
// trail nor the table has ErrNothingKnown, one that came or went without an
// event ErrContradiction, and columns that cannot be told are in Unknown.
// Changes that left no trace at all, by raw SQL or while the model was not
// tracked, cannot be noticed.
func AsOf[T any](ctx context.Context, db *gorm.DB, key any, at time.Time, opts ...Option) (Snapshot[T], error) {
	snapshots, err := AsOfAll[T](ctx, db, []any{key}, at, opts...)
	if err != nil {
		return Snapshot[T]{}, err
	}
	return snapshots[0], nil
}

// AsOfAll is AsOf for several keys; the snapshots are in their order. It fails
// with the first key that fails.
func AsOfAll[T, K any](ctx context.Context, db *gorm.DB, keys []K, at time.Time, opts ...Option) ([]Snapshot[T], error) {
	p, err := pastOf(ctx, db, new(T), at, chosen(opts).former)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(keys))
	for i, key := range keys {
		if ids[i], err = p.id(ctx, key); err != nil {
			return nil, err
		}
	}
	if err := p.reaches(ctx, at); err != nil {
		return nil, err
	}
	snapshots := make([]Snapshot[T], len(keys))
	var existing []lifeline.Row
	for i, id := range ids {
		s := &snapshots[i]
		state, err := p.at(ctx, id)
		if err != nil {
			return nil, err
		}
		s.At, s.model = at.UTC(), p.schema
		if state.Last != nil {
			s.Event = &state.Last.Event
		}
		if s.Exists = state.Exists; s.Exists {
			s.Cells, s.Unknown, s.Deleted = state.Row, p.unknown(state), p.columns.SoftDeleted(state.Row)
			existing = append(existing, state.Row)
		}
	}
	return snapshots, fillRecords(ctx, p, snapshots, existing)
}

// unknown are the columns of a state that cannot be told, with those of the table
// that nothing tells of.
func (p *past) unknown(s lifeline.State) []string {
	unknown := s.Unknown
	for _, column := range p.columns.Columns() {
		if _, told := s.Row[column]; !told && !slices.Contains(unknown, column) {
			unknown = append(unknown, column)
		}
	}
	slices.Sort(unknown)
	return unknown
}

// fillRecords reads the rows as GORM reads those of a query.
func fillRecords[T any](ctx context.Context, p *past, snapshots []Snapshot[T], rows []lifeline.Row) (err error) {
	if len(rows) == 0 {
		return nil
	}
	cells := make([]map[string]json.RawMessage, len(rows))
	for i, row := range rows {
		cells[i] = row
	}
	found, err := p.columns.Scan(ctx, cells)
	if err != nil {
		return fmt.Errorf("history: %w", err)
	}
	defer func() {
		if closing := found.Close(); err == nil {
			err = closing
		}
	}()
	for i := range snapshots {
		if !snapshots[i].Exists {
			continue
		}
		if !found.Next() {
			return fmt.Errorf("history: a row of %s is missing: %w", p.object, found.Err())
		}
		if err := p.db.ScanRows(found, &snapshots[i].Record); err != nil {
			return fmt.Errorf("history: %w", err)
		}
	}
	return nil
}

// past is the rows of a model at a moment.
type past struct {
	*records
	columns *hooks.Table
	moment  time.Time
}

func pastOf(ctx context.Context, db *gorm.DB, model any, at time.Time, former []string) (*past, error) {
	r, err := recordsOf(ctx, db, model, former...)
	if err != nil {
		return nil, err
	}
	p := &past{records: r, moment: at}
	p.columns, err = r.table(r.db)
	return p, err
}

// reaches says whether the trail of the model goes back to the moment. That of
// other models does not count: rows that no event tells of may have been changed
// when the model was not tracked, or had another name.
func (r *records) reaches(ctx context.Context, at time.Time) error {
	for _, name := range r.names() {
		earlier := event.Filter{Category: event.CategoryModel, ActionObject: name, To: at.Add(1), Order: event.NewestFirst, Limit: 1}
		for _, err := range r.repository.Find(ctx, earlier) {
			if err != nil {
				return fmt.Errorf("history: %w", err)
			}
			return nil
		}
	}
	return fmt.Errorf("history: %w: no event of %s is as early as %s; pass history.FormerNames if the model had another name",
		ErrBeforeTrail, strings.Join(r.names(), " or "), at.UTC().Format(time.RFC3339Nano))
}

// id returns the id of the record with the key.
func (p *past) id(ctx context.Context, key any) (string, error) {
	values, err := p.keyOf(ctx, key)
	if err != nil {
		return "", err
	}
	if given, isID := key.(ID); isID {
		return string(given), nil
	}
	return p.storedID(p.columns, values)
}

// at returns the state of one record at the moment.
func (p *past) at(ctx context.Context, id string) (lifeline.State, error) {
	state, err := lifeline.At(ctx, p, id, p.moment, p.columns.Silent)
	if err != nil {
		return lifeline.State{}, fmt.Errorf("history: %s %s: %w", p.object, id, err)
	}
	return state, nil
}

// Steps implements [lifeline.Source].
func (p *past) Steps(ctx context.Context, id string) ([]lifeline.Step, error) {
	return p.steps(ctx, id)
}

// Live implements [lifeline.Source].
func (p *past) Live(_ context.Context, id string) (lifeline.Row, bool, error) {
	row, err := liveRow(p.columns, id)
	return row, true, err
}

// liveRow returns the row that has the id now, nil when there is none.
func liveRow(table *hooks.Table, id string) (lifeline.Row, error) {
	key, err := table.Key(id)
	if err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	found, err := table.Rows([][]any{key}, false)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0].Cells, nil
}
