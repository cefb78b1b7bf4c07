package cloudwatchrepo

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"

	"github.com/eventaudit/eventaudit/event"
)

// record is an event as CloudWatch has it.
type record struct {
	event event.Event
	at    int64 // the time that it is stored under, in milliseconds
	// ingested is when it came, in milliseconds, and name what CloudWatch
	// calls it. Of two with one ID the one that came first counts.
	ingested int64
	name     string
	size     int
}

func (r record) cameBefore(other record) bool {
	if r.ingested != other.ingested {
		return r.ingested < other.ingested
	}
	return r.name < other.name
}

// request asks for the records of a span that have the fields.
type request struct {
	span
	fields []event.Field
	newest bool // comes first
	// limit is how many are wanted at most, 0 for all. More may be read.
	limit int
}

// errDisorder says that CloudWatch broke the order that it documents: a list
// could be wrong, and a wrong list is worse than none.
var errDisorder = errors.New("CloudWatch returned events out of order")

// read yields the records that the request asks for and others, in the order
// of at. Foreign lines in our streams are passed over.
func (r *Repository) read(ctx context.Context, q request) iter.Seq2[record, error] {
	if q.isEmpty() {
		return func(func(record, error) bool) {}
	}
	if width := q.to - q.from; r.options.Insights > 0 && width >= r.options.Insights.Milliseconds() {
		return r.queried(ctx, q)
	}
	return r.paged(ctx, q)
}

// paged reads page by page through FilterLogEvents. Pages may be empty, and
// only the lack of a token is the end.
func (r *Repository) paged(ctx context.Context, q request) iter.Seq2[record, error] {
	return func(yield func(record, error) bool) {
		in := r.filter(q)
		for last := q.first(); ; {
			out, err := call(ctx, r.timing, r.client.FilterLogEvents, in)
			if err != nil {
				if !r.isMissingGroup(err) {
					yield(record{}, hinted(err))
				}
				return
			}
			for _, e := range out.Events {
				line := line{aws.ToString(e.LogStreamName), aws.ToString(e.Message), aws.ToInt64(e.Timestamp), aws.ToInt64(e.IngestionTime), aws.ToString(e.EventId)}
				if q.isBefore(line.at, last) {
					yield(record{}, errDisorder)
					return
				}
				last = line.at
				if rec, ok := r.recordOf(ctx, q.prefix, line); ok && !yield(rec, nil) {
					return
				}
			}
			if in.NextToken = out.NextToken; in.NextToken == nil {
				return
			}
		}
	}
}

// filter is the first call of a search.
func (r *Repository) filter(q request) *cloudwatchlogs.FilterLogEventsInput {
	in := &cloudwatchlogs.FilterLogEventsInput{
		LogGroupName: aws.String(r.options.Group), LogStreamNamePrefix: aws.String(q.prefix), StartTime: aws.Int64(q.from),
	}
	if q.to != forever {
		in.EndTime = aws.Int64(q.to)
	}
	pattern, exact := filterPattern(q.fields)
	if pattern != "" {
		in.FilterPattern = aws.String(pattern)
	}
	if q.newest {
		in.StartFromHead = aws.Bool(false)
	}
	if exact && q.limit > 0 && q.limit < maxEvents {
		in.Limit = aws.Int32(int32(q.limit))
	}
	return in
}

// first is the end of the span that comes first.
func (q request) first() int64 {
	if q.newest {
		return q.to
	}
	return q.from
}

// isBefore reports whether at comes before the other in the request's order.
func (q request) isBefore(at, other int64) bool { return at != other && (at < other) != q.newest }

// line is a line of a log.
type line struct {
	stream, message string
	at, ingested    int64
	name            string
}

// recordOf returns the event in the line, if there is one.
func (r *Repository) recordOf(ctx context.Context, prefix string, l line) (record, bool) {
	if !isStream(l.stream, prefix) {
		return record{}, false
	}
	e, ok := decode(l.message)
	if !ok {
		r.options.Logger.WarnContext(ctx, "a line in a log stream of the audit trail is no event; somebody else writes there",
			"log_stream", l.stream, "time", time.UnixMilli(l.at).UTC())
		return record{}, false
	}
	return record{e, l.at, l.ingested, l.name, len(l.message)}, true
}
