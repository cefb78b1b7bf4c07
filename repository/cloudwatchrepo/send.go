package cloudwatchrepo

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
)

// errTime is wrapped by the reasons of events that were refused for their
// time.
var errTime = errors.New("CloudWatch refused its time; compare this machine's clock")

var (
	errTooOld  = fmt.Errorf("too old: %w", errTime)
	errExpired = fmt.Errorf("older than the retention of the log group: %w", errTime)
	errTooNew  = fmt.Errorf("too far in the future: %w", errTime)
	errRefused = errors.New("CloudWatch calls the event invalid (" + codeInvalid + ")")
)

// recreations is how often streams may vanish under one batch.
const recreations = 3

// send sends the batch and returns the events that were refused. When
// CloudWatch refuses all of it, its halves are sent, until the event is known
// that is at fault.
func (r *Repository) send(ctx context.Context, b batch) (refusals, error) {
	out, err := r.put(ctx, b)
	switch {
	case err == nil:
		return b.rejected(out.RejectedLogEventsInfo), nil
	case codeOf(err) != codeInvalid:
		return nil, err
	case len(b) == 1:
		return refusals{{b[0].event, errRefused}}, nil
	}
	half := len(b) / 2
	refused, err := r.send(ctx, b[:half])
	if err != nil {
		return refused, err
	}
	more, err := r.send(ctx, b[half:])
	return append(refused, more...), err
}

// put makes the call. A stream that has vanished is created again.
func (r *Repository) put(ctx context.Context, b batch) (*cloudwatchlogs.PutLogEventsOutput, error) {
	events := make([]types.InputLogEvent, len(b))
	for i := range b {
		events[i] = types.InputLogEvent{Message: &b[i].message, Timestamp: &b[i].at}
	}
	for try := 0; ; try++ {
		name, err := r.stream(ctx, b[0].kind)
		if err != nil {
			return nil, err
		}
		out, err := call(ctx, r.timing, r.client.PutLogEvents, &cloudwatchlogs.PutLogEventsInput{
			LogGroupName: aws.String(r.options.Group), LogStreamName: aws.String(name), LogEvents: events,
		})
		if codeOf(err) != codeMissing || try == recreations {
			return out, err
		}
		r.streams.forget()
	}
}

// rejected returns the events that CloudWatch dropped although it answered
// with success. The first two indexes are the ends of what it dropped at the
// front of the batch, the third the start of what it dropped at the back.
func (b batch) rejected(info *types.RejectedLogEventsInfo) (refused refusals) {
	if info == nil {
		return nil
	}
	old, expired := index(info.TooOldLogEventEndIndex, 0, len(b)), index(info.ExpiredLogEventEndIndex, 0, len(b))
	tooNew := index(info.TooNewLogEventStartIndex, len(b), len(b))
	for i, e := range b {
		switch {
		case i < old:
			refused = append(refused, refusal{e.event, errTooOld})
		case i < expired:
			refused = append(refused, refusal{e.event, errExpired})
		case i >= tooNew:
			refused = append(refused, refusal{e.event, errTooNew})
		}
	}
	return refused
}

// index returns the index, brought into the batch.
func index(i *int32, absent, length int) int {
	if i == nil {
		return absent
	}
	return min(max(int(*i), 0), length)
}
