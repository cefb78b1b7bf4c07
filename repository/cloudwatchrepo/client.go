package cloudwatchrepo

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
)

// Client is what a Repository needs of a *cloudwatchlogs.Client.
type Client interface {
	PutLogEvents(context.Context, *cloudwatchlogs.PutLogEventsInput, ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.PutLogEventsOutput, error)
	FilterLogEvents(context.Context, *cloudwatchlogs.FilterLogEventsInput, ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.FilterLogEventsOutput, error)
	StartQuery(context.Context, *cloudwatchlogs.StartQueryInput, ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.StartQueryOutput, error)
	GetQueryResults(context.Context, *cloudwatchlogs.GetQueryResultsInput, ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.GetQueryResultsOutput, error)
	CreateLogGroup(context.Context, *cloudwatchlogs.CreateLogGroupInput, ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.CreateLogGroupOutput, error)
	PutRetentionPolicy(context.Context, *cloudwatchlogs.PutRetentionPolicyInput, ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.PutRetentionPolicyOutput, error)
	CreateLogStream(context.Context, *cloudwatchlogs.CreateLogStreamInput, ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.CreateLogStreamOutput, error)
	DescribeLogStreams(context.Context, *cloudwatchlogs.DescribeLogStreamsInput, ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.DescribeLogStreamsOutput, error)
	DeleteLogStream(context.Context, *cloudwatchlogs.DeleteLogStreamInput, ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.DeleteLogStreamOutput, error)
}

var _ Client = (*cloudwatchlogs.Client)(nil)

// timing are the durations that nobody has had a reason to set so far.
type timing struct {
	// call is how long one call may take.
	call time.Duration
	// tries is how often a call is made, besides those that the SDK repeats by
	// itself, with a pause of up to pause between them, which doubles. All of
	// it fits into the half minute that an outbox gives a batch; the outbox
	// goes on from there.
	tries int
	pause time.Duration
	// poll is how long to wait before a query is asked for its results.
	poll time.Duration
	// skew is how far apart the clocks may be of those who make IDs and of
	// those who write.
	skew time.Duration
}

func defaultTiming() timing {
	return timing{
		call: 20 * time.Second, tries: 6, pause: 200 * time.Millisecond,
		poll: 250 * time.Millisecond, skew: 24 * time.Hour,
	}
}

// operation is a method of Client.
type operation[In, Out any] func(context.Context, *In, ...func(*cloudwatchlogs.Options)) (*Out, error)

// call makes the call, again and again while another attempt may do better. It
// ends with the context.
func call[In, Out any](ctx context.Context, t timing, do operation[In, Out], in *In) (*Out, error) {
	pause := t.pause
	for try := 1; ; try++ {
		out, err := once(ctx, t, do, in)
		if err == nil || try == t.tries || isLasting(err) {
			return out, err
		}
		if ended := wait(ctx, rand.N(pause+1)); ended != nil {
			return nil, ended
		}
		pause *= 2
	}
}

func once[In, Out any](ctx context.Context, t timing, do operation[In, Out], in *In) (*Out, error) {
	ctx, cancel := context.WithTimeout(ctx, t.call)
	defer cancel()
	return do(ctx, in)
}

// wait waits that long, or returns why the context ended.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
