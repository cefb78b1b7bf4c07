package history

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"reflect"
	"slices"

	"gorm.io/gorm/schema"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/lifeline"
)

type sequences = []iter.Seq2[event.Event, error]

// family is the children that one record has, or had, by one relation.
type family struct {
	*records // of the child
	// link is what the columns that point to the parent hold.
	link lifeline.Row
	// members are the ids of the children at the moment that has been reached.
	members map[string]bool
}

// children yields the events of the children by a relation.
func (r *records) children(ctx context.Context, name string, key any, bounds event.Filter) (iter.Seq2[event.Event, error], error) {
	relation := r.schema.Relationships.Relations[name]
	if relation == nil || relation.Type != schema.HasOne && relation.Type != schema.HasMany {
		return nil, fmt.Errorf("history: %w", &event.FieldError{
			Field: r.schema.Name + " children", Value: name,
			Reason: fmt.Sprintf("is no has-one or has-many relation; use one of %q", r.childRelations()),
		})
	}
	child, err := recordsOf(ctx, r.db, reflect.New(relation.FieldSchema.ModelType).Interface())
	if err != nil {
		return nil, err
	}
	f := &family{records: child, link: lifeline.Row{}, members: map[string]bool{}}
	if err := f.meet(ctx, r, relation, key); err != nil {
		return nil, err
	}
	return f.events(ctx, bounds), nil
}

func (r *records) childRelations() []string {
	var names []string
	for name, relation := range r.schema.Relationships.Relations {
		if relation.Type == schema.HasOne || relation.Type == schema.HasMany {
			names = append(names, name)
		}
	}
	return slices.Sorted(slices.Values(names))
}

// meet finds the children that the record has now.
func (f *family) meet(ctx context.Context, parent *records, relation *schema.Relationship, key any) error {
	table, err := f.table(f.db)
	if err != nil {
		return err
	}
	values, err := parent.keyOf(ctx, key)
	if err != nil {
		return err
	}
	var columns []string
	var pointing []any
	for _, reference := range relation.References {
		var value any = reference.PrimaryValue // of a polymorphic relation
		if reference.PrimaryKey != nil {
			place := slices.Index(parent.schema.PrimaryFields, reference.PrimaryKey)
			if place < 0 {
				return fmt.Errorf("history: relation %s of %s does not point to the primary key; ask for the history of the children themselves", relation.Name, parent.schema.Name)
			}
			value = values[place]
		}
		column := reference.ForeignKey.DBName
		if f.link[column], err = f.cell(table, column, value); err != nil {
			return err
		}
		columns, pointing = append(columns, column), append(pointing, value)
	}
	rows, err := table.RowsBy(columns, pointing)
	if err != nil {
		return fmt.Errorf("history: %w", err)
	}
	for _, row := range rows {
		f.members[row.ID] = true
	}
	return nil
}

// events yields the events of those who were children when they happened. Who
// was is known from the newest event backwards; the other order is a list that
// is turned around.
func (f *family) events(ctx context.Context, bounds event.Filter) iter.Seq2[event.Event, error] {
	all := pages(ctx, f.repository, event.Filter{Category: event.CategoryModel, ActionObject: f.object, Order: event.NewestFirst})
	return func(yield func(event.Event, error) bool) {
		f := &family{f.records, f.link, maps.Clone(f.members)}
		var kept []event.Event
		for e, err := range all {
			if err != nil {
				yield(event.Event{}, err)
				return
			}
			theirs := f.backOver(e)
			switch {
			case !theirs || !bounds.Match(e):
			case bounds.Order == event.OldestFirst:
				kept = append(kept, e)
			case !yield(e, nil):
				return
			}
		}
		for _, e := range slices.Backward(kept) {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// backOver undoes what an event did to the family, and reports whether it is
// about a child.
func (f *family) backOver(e event.Event) bool {
	if !lifeline.AboutRow(e) {
		return f.members[e.ActionObjectID]
	}
	s := lifeline.StepOf(e)
	is := f.member(s.New, f.members[s.To]) && s.To != ""
	was := f.member(s.Old, is) && s.From != ""
	if s.To != "" {
		delete(f.members, s.To)
	}
	if s.From != "" && was {
		f.members[s.From] = true
	}
	return is || was
}

// member reports whether a row points to the parent; one that does not say is
// what it is known as.
func (f *family) member(row lifeline.Row, known bool) bool {
	told := false
	for column, want := range f.link {
		if cell, ok := row[column]; ok {
			if !lifeline.Same(cell, want) {
				return false
			}
			told = true
		}
	}
	return told || known
}
