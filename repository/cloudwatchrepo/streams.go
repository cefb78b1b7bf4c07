package cloudwatchrepo

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
)

// kind says how the time under which CloudWatch has an event relates to the
// event's own. Each kind has streams of its own, so that a list finds the
// clamped ones, of which there are few, without reading the others.
type kind string

const (
	// timely events are stored under their own time.
	timely kind = "events"
	// clamped are the two kinds that follow.
	clamped kind = "clamped"
	// late events were too old when they came, early ones too far in the
	// future. They are stored under the time of their arrival.
	late  kind = clamped + "/late"
	early kind = clamped + "/early"
)

// prefix is what the names of the kind's streams start with.
func (r *Repository) prefix(k kind) string { return r.options.Stream + "/" + string(k) + "/" }

// datedStream is what follows the prefix in the names of our streams. Those of
// a trail whose name goes on where ours ends look otherwise.
var datedStream = regexp.MustCompile(`^((late|early)/)?[0-9]{4}-[0-9]{2}-[0-9]{2}/[^/]+$`)

// isStream reports whether the stream is one of ours with that prefix.
func isStream(name, prefix string) bool {
	rest, ok := strings.CutPrefix(name, prefix)
	return ok && datedStream.MatchString(rest)
}

// streams are those that this process writes to, one a day for each kind.
type streams struct {
	mutex sync.Mutex
	day   string
	known map[string]bool
	// unretained says that we created the group and could not set its
	// retention yet.
	unretained bool
}

func (s *streams) knows(day, name string) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.day == day && s.known[name]
}

func (s *streams) add(day, name string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.day != day {
		s.day, s.known = day, map[string]bool{}
	}
	s.known[name] = true
}

// forget drops all names: somebody has deleted streams.
func (s *streams) forget() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.day = ""
}

func (s *streams) retentionDue() bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.unretained
}

func (s *streams) setRetentionDue(due bool) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.unretained = due
}

// stream returns the name of today's stream of the kind, which is there.
func (r *Repository) stream(ctx context.Context, k kind) (string, error) {
	day := r.now().UTC().Format(time.DateOnly)
	name := r.prefix(k) + day + "/" + r.options.Writer
	if r.streams.knows(day, name) {
		return name, nil
	}
	err := r.createStream(ctx, name)
	if codeOf(err) == codeMissing {
		if !r.options.CreateGroup {
			return "", fmt.Errorf("%w: %w", ErrNoGroup, err)
		}
		if err = r.createGroup(ctx); err == nil {
			err = r.createStream(ctx, name)
		}
	}
	if err == nil && r.streams.retentionDue() {
		err = r.setRetention(ctx)
	}
	if err != nil {
		return "", err
	}
	r.streams.add(day, name)
	return name, nil
}

func (r *Repository) createStream(ctx context.Context, name string) error {
	_, err := call(ctx, r.timing, r.client.CreateLogStream, &cloudwatchlogs.CreateLogStreamInput{
		LogGroupName: aws.String(r.options.Group), LogStreamName: aws.String(name),
	})
	return unlessExists(err)
}

// createGroup creates the group. Its retention is a call of its own, which is
// made again until it succeeds; until then events are kept forever.
func (r *Repository) createGroup(ctx context.Context) error {
	in := &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String(r.options.Group), Tags: r.options.Tags}
	if r.options.KMSKey != "" {
		in.KmsKeyId = aws.String(r.options.KMSKey)
	}
	if r.options.DeletionProtection {
		in.DeletionProtectionEnabled = aws.Bool(true)
	}
	_, err := call(ctx, r.timing, r.client.CreateLogGroup, in)
	if err == nil && r.options.RetentionDays > 0 {
		r.streams.setRetentionDue(true)
	}
	return unlessExists(err)
}

func (r *Repository) setRetention(ctx context.Context) error {
	_, err := call(ctx, r.timing, r.client.PutRetentionPolicy, &cloudwatchlogs.PutRetentionPolicyInput{
		LogGroupName: aws.String(r.options.Group), RetentionInDays: aws.Int32(int32(r.options.RetentionDays)),
	})
	if err == nil {
		r.streams.setRetentionDue(false)
	}
	return err
}

// unlessExists takes it as done when somebody else was faster.
func unlessExists(err error) error {
	if codeOf(err) == codeExists {
		return nil
	}
	return err
}

// isMissingGroup reports whether a read failed because there is no group yet.
func (r *Repository) isMissingGroup(err error) bool {
	return r.options.CreateGroup && codeOf(err) == codeMissing
}

// hinted says what to do about a group that is missing.
func hinted(err error) error {
	if codeOf(err) == codeMissing && !errors.Is(err, ErrNoGroup) {
		return fmt.Errorf("%w: %w", ErrNoGroup, err)
	}
	return err
}
