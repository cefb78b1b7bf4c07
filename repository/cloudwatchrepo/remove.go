package cloudwatchrepo

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository"
)

// RemoveMatching implements [repository.FilterRemover], for the sake of its
// error: CloudWatch does not delete single events. It wraps
// errors.ErrUnsupported.
func (r *Repository) RemoveMatching(_ context.Context, f event.Filter) (int64, error) {
	if err := repository.Removable(f); err != nil {
		return 0, err
	}
	return 0, fmt.Errorf("cloudwatchrepo: remove: CloudWatch deletes events only when the retention of the log group ends; "+
		"set that of %s, or use RemoveAll: %w", r.options.Group, errors.ErrUnsupported)
}

// RemoveAll implements [repository.AllRemover]. It deletes the log streams of
// this trail, those of other writers included, and nothing else in the group;
// the next Write creates its stream again. What is written meanwhile may go or
// stay. A group with deletion protection keeps its streams, which is an error.
func (r *Repository) RemoveAll(ctx context.Context) error {
	names, err := r.streamNames(ctx)
	if err != nil && !r.isMissingGroup(err) {
		return r.failed(ctx, "remove all", hinted(err))
	}
	r.streams.forget()
	for i, name := range names {
		_, err := call(ctx, r.timing, r.client.DeleteLogStream, &cloudwatchlogs.DeleteLogStreamInput{
			LogGroupName: aws.String(r.options.Group), LogStreamName: aws.String(name),
		})
		if err != nil && codeOf(err) != codeMissing {
			return r.failed(ctx, fmt.Sprintf("remove all: %d of %d log streams are deleted; "+
				"if %s has deletion protection, switch it off first", i, len(names), r.options.Group), err)
		}
	}
	return nil
}

// streamNames are the names of the streams of this trail.
func (r *Repository) streamNames(ctx context.Context) (names []string, err error) {
	in := &cloudwatchlogs.DescribeLogStreamsInput{
		LogGroupName: aws.String(r.options.Group),
	}
	for _, k := range []kind{timely, clamped} {
		prefix := r.prefix(k)
		in.LogStreamNamePrefix, in.NextToken = aws.String(prefix), nil
		for {
			out, err := call(ctx, r.timing, r.client.DescribeLogStreams, in)
			if err != nil {
				return nil, err
			}
			for _, s := range out.LogStreams {
				if name := aws.ToString(s.LogStreamName); isStream(name, prefix) {
					names = append(names, name)
				}
			}
			if in.NextToken = out.NextToken; in.NextToken == nil {
				break
			}
		}
	}
	return names, nil
}
