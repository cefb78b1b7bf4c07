package redisrepo

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/eventaudit/eventaudit/event"
)

// row is an event as it is stored.
type row struct {
	event event.Event
	body  string
	at    place
	// broken is why the event could not be read from the body.
	broken error
}

// tries is how often others may change the list of buckets, or store some of
// the same events, while a few events are written.
const tries = 20

// storeRows stores rows of one place, those that are not stored already.
func (r *Repository) storeRows(ctx context.Context, s *store, rows []row) error {
	for range tries {
		if len(rows) == 0 {
			return nil
		}
		at := rows[0].at
		buckets, err := r.bucketsWith(ctx, s, at)
		if err != nil {
			return err
		}
		replies, err := r.run(ctx, writeScript, []call{r.storing(s, rows, buckets)})
		if err != nil {
			return err
		}
		if buckets, ok := replies[0].Val().(string); ok {
			s.remember(at.shard, buckets)
			continue
		}
		stored, err := replies[0].Int64Slice()
		if err != nil || len(stored) == 0 {
			return err
		}
		rows = without(rows, stored)
	}
	return errors.New("others keep changing what is written")
}

// without returns the rows that are not at these positions, the first being 1.
func without(rows []row, positions []int64) []row {
	var others []row
	for i, row := range rows {
		if !slices.Contains(positions, int64(i+1)) {
			others = append(others, row)
		}
	}
	return others
}

// storing is the call that stores the rows.
func (r *Repository) storing(s *store, rows []row, buckets string) call {
	at := rows[0].at
	keys := []string{r.bucketsKey(s, at.shard), r.key(s, at, bodies)}
	for bucket := range strings.FieldsSeq(buckets) {
		if bucket != at.bucket {
			keys = append(keys, r.key(s, place{at.shard, bucket}, bodies))
		}
	}
	args := append(make([]any, 0, 20*len(rows)), buckets, at.bucket, len(keys)-2, len(rows))
	for _, row := range rows {
		args = append(args, row.event.ID)
	}
	kinds, members := sets(rows)
	for _, kind := range kinds {
		keys = append(keys, r.key(s, at, kind))
		args = append(args, len(members[kind])/2)
		args = append(args, members[kind]...)
	}
	for _, row := range rows {
		args = append(args, row.event.ID, row.body)
	}
	return call{keys, args}
}

// sets returns the sorted sets that the rows are in, and the members that each
// gets, behind their score.
func sets(rows []row) (found []string, members map[string][]any) {
	members = map[string][]any{}
	for _, row := range rows {
		var member any = memberOf(row.event)
		for _, kind := range kinds(row.event) {
			if members[kind] == nil {
				found = append(found, kind)
			}
			members[kind] = append(members[kind], 0, member)
		}
	}
	return found, members
}
