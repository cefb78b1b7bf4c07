package cloudwatchtest

import (
	"fmt"
	"time"
	"unicode/utf8"
)

// The limits of PutLogEvents, from its reference.
const (
	maxEvents     = 10_000
	maxBatchBytes = 1_048_576
	eventOverhead = 26 // bytes that each event counts besides its message
	maxSpan       = 24 * time.Hour
	maxAge        = 14 * 24 * time.Hour
	maxFuture     = 2 * time.Hour
)

// Batch is what one call of PutLogEvents held.
type Batch struct {
	// Events is how many, Bytes their size as AWS counts it, Stored how many
	// of them were stored.
	Events, Bytes, Stored int
}

// Batches returns the calls of PutLogEvents that were answered without an
// error, in their order.
func (s *Server) Batches() []Batch {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return append([]Batch(nil), s.batches...)
}

func (s *Server) putLogEvents(body []byte, vanish bool) (any, *failure) {
	in, err := parsePut(body)
	if err != nil {
		return nil, refuse("SerializationException", err.Error())
	}
	if problem := in.check(); problem != nil {
		return nil, problem
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	g, problem := s.group(in.group)
	if problem != nil {
		return nil, problem
	}
	if vanish {
		g.removeStream(in.stream)
	}
	to, ok := g.streams[in.stream]
	if !ok {
		return nil, noStream
	}
	now := s.options.Now()
	rejected, stored := g.sort(in.events, now)
	if len(stored) > 0 && stored[len(stored)-1].time-stored[0].time > maxSpan.Milliseconds() {
		return nil, invalid("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")
	}
	if !s.options.Discard {
		s.keep(g, to, stored, now)
	}
	s.batches = append(s.batches, Batch{len(in.events), in.bytes(), len(stored)})
	answer := map[string]any{"nextSequenceToken": "ignored"}
	if len(rejected) > 0 {
		answer["rejectedLogEventsInfo"] = rejected
	}
	return answer, nil
}

// check refuses a call as a whole. As those of AWS, some of its messages quote
// what they complain about.
func (in put) check() *failure {
	if n := len(in.events); n < 1 || n > maxEvents {
		return invalid(fmt.Sprintf("1 validation error detected: Value '[%s]' at 'logEvents' failed to satisfy constraint: "+
			"Member must have length less than or equal to %d", in.quote(), maxEvents))
	}
	if n := in.bytes(); n > maxBatchBytes {
		return invalid(fmt.Sprintf("Upload too large: %d bytes exceeds limit of %d", n, maxBatchBytes))
	}
	for i, e := range in.events {
		switch {
		case len(e.message) == 0 || e.time < 0:
			return invalid("1 validation error detected: Value '" + string(e.message) + "' at 'logEvents.member' failed to satisfy constraint")
		case i > 0 && e.time < in.events[i-1].time:
			return invalid("Log events in a single PutLogEvents request must be in chronological order.")
		case !utf8.Valid(e.message):
			return invalid("a message is not valid UTF-8: " + string(e.message))
		}
	}
	return nil
}

func (in put) bytes() (n int) {
	for _, e := range in.events {
		n += len(e.message) + eventOverhead
	}
	return n
}

func (in put) quote() string {
	if len(in.events) == 0 {
		return ""
	}
	return string(in.events[0].message)
}

// sort tells the events that are stored from those that are refused, by the
// indexes that AWS answers with.
func (g *group) sort(events []putEvent, now time.Time) (rejected map[string]int, stored []putEvent) {
	rejected = map[string]int{}
	first, end := 0, len(events)
	oldest := now.Add(-maxAge).UnixMilli()
	for first < len(events) && events[first].time < oldest {
		first++
		rejected["tooOldLogEventEndIndex"] = first
	}
	if g.retention > 0 {
		expired := now.Add(-time.Duration(g.retention) * 24 * time.Hour).UnixMilli()
		for first < len(events) && events[first].time < expired {
			first++
			rejected["expiredLogEventEndIndex"] = first
		}
	}
	newest := now.Add(maxFuture).UnixMilli()
	for end > first && events[end-1].time > newest {
		end--
		rejected["tooNewLogEventStartIndex"] = end
	}
	return rejected, events[first:end]
}

// keep stores the events. Calls are ingested a millisecond apart at least.
func (s *Server) keep(g *group, to *stream, events []putEvent, now time.Time) {
	s.last = max(now.UnixMilli(), s.last+1)
	for i, e := range events {
		g.records = append(g.records, record{place{e.time, s.last, int64(i)}, to, e.message, &document{}})
	}
	g.tidy = false
}
