package cloudwatchrepo

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
)

// queryRows is how many rows a query may have.
const queryRows = 10_000

// queried reads by queries of Logs Insights, one after another, each from
// where the one before ended.
func (r *Repository) queried(ctx context.Context, q request) iter.Seq2[record, error] {
	if q.to == forever {
		q.to = r.now().Add(maxFuture + r.timing.skew).UnixMilli()
	}
	return func(yield func(record, error) bool) {
		for !q.isEmpty() {
			lines, err := r.query(ctx, q)
			if err != nil {
				if !r.isMissingGroup(err) {
					yield(record{}, hinted(err))
				}
				return
			}
			next, rest := q.after(&lines)
			for _, line := range lines {
				if rec, ok := r.recordOf(ctx, q.prefix, line); ok && !yield(rec, nil) {
					return
				}
			}
			for rec, err := range rest(r, ctx) {
				if !yield(rec, err) || err != nil {
					return
				}
			}
			q = next
		}
	}
}

// after returns what to ask for behind the lines. When there may be more of
// them the last millisecond is not complete: it is left to the next query. If
// there is no other in the lines it is read by pages.
func (q request) after(lines *[]line) (next request, rest func(*Repository, context.Context) iter.Seq2[record, error]) {
	rest = func(*Repository, context.Context) iter.Seq2[record, error] { return func(func(record, error) bool) {} }
	n := len(*lines)
	if next = q; n < queryRows {
		next.from, next.to = 1, 0
		return next, rest
	}
	last := (*lines)[n-1].at
	for n > 0 && (*lines)[n-1].at == last {
		n--
	}
	*lines = (*lines)[:n]
	behind := last
	if n == 0 {
		only := q
		only.from, only.to = last, last
		rest = func(r *Repository, ctx context.Context) iter.Seq2[record, error] { return r.paged(ctx, only) }
		behind = last + 1
		if q.newest {
			behind = last - 1
		}
	}
	if q.newest {
		next.to = behind
	} else {
		next.from = behind
	}
	return next, rest
}

// text is the query. Values are looked for in the text of the event rather
// than in fields, of which CloudWatch discovers only the first hundreds.
func (q request) text() string {
	var text strings.Builder
	text.WriteString("fields toMillis(@timestamp) as at, toMillis(@ingestionTime) as ingested, @logStream, @message")
	fmt.Fprintf(&text, " | filter toMillis(@timestamp) >= %d and toMillis(@timestamp) <= %d and @logStream like '%s'", q.from, q.to, q.prefix)
	for _, field := range bySelectivity(q.fields) {
		if isPlain(field.Value) && len(field.Value) < maxPattern {
			fmt.Fprintf(&text, ` and @message like '"%s":"%s"'`, field.Name, field.Value)
		}
	}
	order := "asc"
	if q.newest {
		order = "desc"
	}
	fmt.Fprintf(&text, " | sort @timestamp %s | limit %d", order, queryRows)
	return text.String()
}

// query returns the lines that the request asks for, in its order.
func (r *Repository) query(ctx context.Context, q request) ([]line, error) {
	started, err := call(ctx, r.timing, r.client.StartQuery, &cloudwatchlogs.StartQueryInput{
		LogGroupName: aws.String(r.options.Group), QueryString: aws.String(q.text()),
		StartTime: aws.Int64(q.from / 1000), EndTime: aws.Int64(q.to / 1000), // in seconds, with both
	})
	if err != nil {
		return nil, err
	}
	in := &cloudwatchlogs.GetQueryResultsInput{QueryId: started.QueryId}
	var lines []line
	for {
		out, err := call(ctx, r.timing, r.client.GetQueryResults, in)
		if err != nil {
			return nil, err
		}
		switch out.Status {
		case types.QueryStatusComplete:
			if lines, err = appendLines(lines, out.Results); err != nil {
				return nil, err
			}
			if in.NextToken = out.NextToken; in.NextToken == nil {
				return lines, nil
			}
		case types.QueryStatusScheduled, types.QueryStatusRunning, types.QueryStatusUnknown:
			if err := wait(ctx, r.timing.poll); err != nil {
				return nil, err
			}
		default:
			return nil, fmt.Errorf("the query of Logs Insights ended as %s", out.Status)
		}
	}
}

func appendLines(lines []line, rows [][]types.ResultField) ([]line, error) {
	for _, row := range rows {
		var l line
		var err error
		for _, field := range row {
			switch value := aws.ToString(field.Value); aws.ToString(field.Field) {
			case "at":
				l.at, err = strconv.ParseInt(value, 10, 64)
			case "ingested":
				l.ingested, err = strconv.ParseInt(value, 10, 64)
			case "@logStream":
				l.stream = value
			case "@message":
				l.message = value
			}
			if err != nil {
				return nil, fmt.Errorf("a row of Logs Insights has no time: %w", err)
			}
		}
		lines = append(lines, l)
	}
	return lines, nil
}
