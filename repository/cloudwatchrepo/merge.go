package cloudwatchrepo

import "iter"

// merge makes one sequence of two that are in the order. Of two records that
// are equal in it the one is kept that came first.
func merge(compare func(a, b record) int, a, b iter.Seq2[record, error]) iter.Seq2[record, error] {
	return func(yield func(record, error) bool) {
		nextB, stop := iter.Pull2(b)
		defer stop()
		rec, err, more := nextB()
		for first, failure := range a {
			for failure == nil && more && err == nil {
				c := compare(first, rec)
				if c < 0 || c == 0 && first.cameBefore(rec) {
					break
				}
				if c == 0 {
					first = rec
					break
				}
				if !yield(rec, nil) {
					return
				}
				rec, err, more = nextB()
			}
			if more && err != nil && failure == nil {
				first, failure = record{}, err
			}
			if !yield(first, failure) || failure != nil {
				return
			}
			if more && compare(first, rec) == 0 { // the same event
				rec, err, more = nextB()
			}
		}
		for more {
			if !yield(rec, err) || err != nil {
				return
			}
			rec, err, more = nextB()
		}
	}
}
