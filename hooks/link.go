package hooks

import (
	"slices"
	"strings"

	"gorm.io/gorm/schema"

	"github.com/eventaudit/eventaudit/event"
)

// link is what a join table stands for: a relation between two records.
type link struct{ owner, other side }

// side is one end of a link: the model, and the columns of the join table that
// hold its key.
type side struct {
	object  string
	columns []string
}

// linkOf returns the link that a model's rows are, nil when they are records
// of their own: all of its key is the keys of exactly two others. The owner is
// the one whose key comes first, which is the model that declares many2many.
func linkOf(model *schema.Schema) *link {
	keys := model.PrimaryFieldDBNames
	var sides []side
	model.Relationships.Mux.RLock() // GORM may be adding those that others declare
	defer model.Relationships.Mux.RUnlock()
	for name, relation := range model.Relationships.Relations {
		if strings.HasPrefix(name, "_") || relation.Type != schema.BelongsTo {
			continue
		}
		s := side{object: relation.FieldSchema.Name}
		for _, reference := range relation.References {
			if reference.ForeignKey != nil {
				s.columns = append(s.columns, reference.ForeignKey.DBName)
			}
		}
		within := len(s.columns) > 0 && !slices.ContainsFunc(s.columns, func(c string) bool { return !slices.Contains(keys, c) })
		if within {
			sides = append(sides, s)
		}
	}
	if len(sides) != 2 || len(sides[0].columns)+len(sides[1].columns) != len(keys) {
		return nil
	}
	if slices.Contains(sides[1].columns, keys[0]) {
		slices.Reverse(sides)
	}
	return &link{owner: sides[0], other: sides[1]}
}

// linked returns the event that a relation was added or removed, for a row of
// a join table that came or went.
func (i *interceptor) linked(set *images, c change) (event.Event, bool) {
	if i.table.link == nil || c.unknown {
		return event.Event{}, false
	}
	e := event.Event{
		Category: event.CategoryModel, ActionObject: i.table.link.owner.object, TargetType: i.table.link.other.object,
		Payload: event.JSON(map[string]string{"table": i.table.name}),
	}
	row := c.after
	was, is := c.before != nil && !set.erased(*c.before), c.after != nil && !set.erased(*c.after)
	switch {
	case !was && is:
		e.Action = event.ActionAttached
	case was && !is:
		e.Action, row = event.ActionDetached, c.before
	default:
		return event.Event{}, false
	}
	e.ActionObjectID = set.id(*row, set.placesOf(i.table, i.table.link.owner.columns))
	e.TargetID = set.id(*row, set.placesOf(i.table, i.table.link.other.columns))
	return e, true
}

// placesOf finds columns by name.
func (set *images) placesOf(t *table, names []string) []int {
	var found []int
	for _, name := range names {
		if place := slices.IndexFunc(set.columns, func(c imageColumn) bool { return t.same(c.name, name) }); place >= 0 {
			found = append(found, place)
		}
	}
	return found
}
