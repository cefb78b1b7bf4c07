package outbox

// size is how many events are claimed at once. A repository that does not get
// done with a batch in time gets half as many next, down to one: it may take
// its time to refuse, without saying which event it is about, and the search
// for it begins anew with each batch. After every batch that arrives it gets
// twice as many, up to the most.
type size struct{ most, now int }

func newSize(most int) size { return size{most, most} }

// note takes in how a batch ended.
func (s *size) note(out outcome) {
	switch {
	case out.late:
		s.now = max(s.now/2, 1)
	case out.err == nil:
		s.now = min(s.now*2, s.most)
	}
}
