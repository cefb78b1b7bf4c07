package redisrepo

import (
	"slices"

	"github.com/eventaudit/eventaudit/event"
)

// index is a sorted set per value, or per pair of values, that leads to the
// events with it. Events that lack a value are in none of its sets: no filter
// can ask for that.
type index struct {
	code  string
	event func(e event.Event) []string
	asked func(f event.Filter) []string
}

func indexes() []index {
	return []index{
		{
			"c", func(e event.Event) []string { return []string{e.Category} },
			func(f event.Filter) []string { return []string{f.Category} },
		},
		{
			"a", func(e event.Event) []string { return []string{e.Action} },
			func(f event.Filter) []string { return []string{f.Action} },
		},
		{
			"u", func(e event.Event) []string { return []string{e.Actor} },
			func(f event.Filter) []string { return []string{f.Actor} },
		},
		{
			"o", func(e event.Event) []string { return []string{e.ActionObject} },
			func(f event.Filter) []string { return []string{f.ActionObject} },
		},
		{
			"r", func(e event.Event) []string { return []string{e.ActionObject, e.ActionObjectID} },
			func(f event.Filter) []string { return []string{f.ActionObject, f.ActionObjectID} },
		},
		{
			"g", func(e event.Event) []string { return []string{e.TargetType, e.TargetID} },
			func(f event.Filter) []string { return []string{f.TargetType, f.TargetID} },
		},
		{
			"n", func(e event.Event) []string { return []string{e.Tenant} },
			func(f event.Filter) []string { return []string{f.Tenant} },
		},
	}
}

// kinds returns the sorted sets that the event is in.
func kinds(e event.Event) []string {
	found := []string{byTime}
	for _, index := range indexes() {
		if values := index.event(e); !slices.Contains(values, "") {
			found = append(found, index.code+digest(values))
		}
	}
	return found
}

// candidates returns the sorted sets that hold all the events which the filter
// asks for, and whether one alone holds no others, bounds aside.
func candidates(f event.Filter) (found []string, exact bool) {
	fields := len(f.Fields())
	for _, index := range indexes() {
		if values := index.asked(f); !slices.Contains(values, "") {
			found = append(found, index.code+digest(values))
			if len(values) == fields {
				return found[len(found)-1:], true
			}
		}
	}
	if len(found) == 0 {
		return []string{byTime}, fields == 0
	}
	return found, false
}
