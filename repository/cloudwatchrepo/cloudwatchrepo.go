// Package cloudwatchrepo keeps the audit trail in AWS CloudWatch Logs. It is
// the repository named "cloudwatch".
//
//	import _ "github.com/eventaudit/eventaudit/repository/cloudwatchrepo"
//
// and a setting active_repo = cloudwatch are enough to send the trail there.
// New takes a client of the app's own:
//
//	events, err := cloudwatchrepo.New(client, &cloudwatchrepo.Options{Group: "/shop/audit"})
//
// # Guarantees
//
// A nil error of Write means that CloudWatch has said of each event that it is
// stored. An event that CloudWatch refuses, within an answer that is otherwise
// a success too, is named by a *repository.RejectedError; all others of the
// call are stored then. Lists are exact: every event read is checked against
// the whole filter, and what CloudWatch stored twice is listed once.
//
// # Limits
//
// Events show seconds after they were written. None can be removed; they go
// when the retention of the log group ends. There is no index: a list reads
// the time that its filter leaves, with a few calls a second (see
// docs/cloudwatch.md), so bound it.
//
// An ID that comes again with another content is not passed over, since
// CloudWatch cannot be asked in time. Get and a filter by ID yield the content
// that came first; a list may show another where that is what its filter
// matches, or where the timestamps differ.
//
// Get and a filter by ID believe the time in a UUIDv7: they look a day around
// it first, and if there is nothing at all that can have been written since.
// One from a clock that was more than a day ahead is found by other fields.
package cloudwatchrepo

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository"
)

// The defaults of Options.
const (
	DefaultGroup  = "/event-audit"
	DefaultStream = "event-audit-stream"
)

// MaxEventBytes is how many bytes of JSON an event may have: the megabyte that
// CloudWatch takes, less the 26 bytes that it counts for each event.
const MaxEventBytes = 1<<20 - eventOverhead

// Options change how a Repository works. The zero value and nil are fine.
type Options struct {
	// Group is the log group. Default: DefaultGroup.
	Group string
	// Stream is what the names of the log streams start with; repositories
	// with different ones do not know of each other. Default: DefaultStream.
	Stream string
	// Writer tells the streams of this process from those of others. Default:
	// the name of the host and a random part.
	Writer string
	// CreateGroup lets the first Write create the log group if it is missing,
	// with the four settings that follow. Those of a group that exists are
	// never changed. Default: a missing group is an error. Streams are created
	// in any case.
	CreateGroup bool
	// RetentionDays is how long CloudWatch keeps events, one of the numbers
	// that PutRetentionPolicy takes. Default: forever.
	RetentionDays int
	// Tags are those of the group, at most 50.
	Tags map[string]string
	// KMSKey is the ARN of the key that encrypts the group. Default: a key of
	// AWS.
	KMSKey string
	// DeletionProtection keeps everybody from deleting the group and its
	// streams, RemoveAll included.
	DeletionProtection bool
	// MaxEventBytes is how large the JSON of an event may get before values in
	// its payload and result are replaced by their beginning and their hash.
	// Default and maximum: the constant MaxEventBytes.
	MaxEventBytes int
	// Insights is from which width on a time range is read by Logs Insights,
	// which is faster for wide ones, is charged by what it scans, and needs
	// the permissions logs:StartQuery and logs:GetQueryResults. A range
	// without bounds is wider than any. Default: never.
	Insights time.Duration
	// Logger gets warnings, with the ids of events and never their contents.
	// Default: slog.Default.
	Logger *slog.Logger
}

// Repository is an audit trail in CloudWatch Logs. It is safe for concurrent
// use.
type Repository struct {
	client  Client
	options Options
	streams streams
	timing  timing
	now     func() time.Time
}

var (
	_ repository.Repository    = (*Repository)(nil)
	_ repository.Getter        = (*Repository)(nil)
	_ repository.FilterRemover = (*Repository)(nil)
	_ repository.AllRemover    = (*Repository)(nil)
	_ repository.Pinger        = (*Repository)(nil)
)

// New returns the trail that the client leads to, a *cloudwatchlogs.Client. It
// sends nothing. The error is a *event.FieldError when there is no client or
// an option is wrong.
func New(client Client, opts *Options) (*Repository, error) {
	o := opts.withDefaults()
	if client == nil {
		return nil, &event.FieldError{Field: "client", Value: "nil", Reason: "is no client; pass what cloudwatchlogs.NewFromConfig returned"}
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	return &Repository{client: client, options: o, timing: defaultTiming(), now: time.Now}, nil
}

func (o *Options) withDefaults() Options {
	var options Options
	if o != nil {
		options = *o
	}
	if options.Group == "" {
		options.Group = DefaultGroup
	}
	if options.Stream == "" {
		options.Stream = DefaultStream
	}
	if options.Writer == "" {
		options.Writer = writerName()
	}
	if options.MaxEventBytes == 0 {
		options.MaxEventBytes = MaxEventBytes
	}
	if options.Logger == nil {
		options.Logger = slog.Default()
	}
	return options
}

// writerName is the host's name, as far as a stream's may hold it, and a part
// that no other process has.
func writerName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "host"
	}
	host = regexp.MustCompile(`[^A-Za-z0-9._-]`).ReplaceAllString(host, "-")
	return host[:min(len(host), 63)] + "-" + event.NewID()
}

// retentions are the days that PutRetentionPolicy takes, from its reference.
var retentions = []int{0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

// Names hold what CloudWatch takes in them, and a filter pattern and a query
// too. That of a writer is the last part of a stream's.
var (
	groupNames  = regexp.MustCompile(`^[A-Za-z0-9._/#-]{1,512}$`)
	streamNames = regexp.MustCompile(`^[A-Za-z0-9._/#-]{1,200}$`)
	writerNames = regexp.MustCompile(`^[A-Za-z0-9._#-]{1,200}$`)
)

func (o Options) check() error {
	switch {
	case !groupNames.MatchString(o.Group):
		return &event.FieldError{Field: "log_group", Value: o.Group, Reason: "is no name of a log group; use up to 512 letters, digits and . _ - / #"}
	case !streamNames.MatchString(o.Stream) || strings.HasSuffix(o.Stream, "/"):
		return &event.FieldError{Field: "log_stream", Value: o.Stream, Reason: "cannot start the names of log streams; use up to 200 letters, digits and . _ - / #, with no / at the end"}
	case !writerNames.MatchString(o.Writer):
		return &event.FieldError{Field: "writer", Value: o.Writer, Reason: "cannot end a log stream's name; use up to 200 letters, digits and . _ - #"}
	case !slices.Contains(retentions, o.RetentionDays):
		return &event.FieldError{Field: "retention_days", Value: o.RetentionDays, Reason: fmt.Sprintf("is not a retention of CloudWatch; use one of %d, 0 to keep events forever", retentions)}
	case len(o.Tags) > 50:
		return &event.FieldError{Field: "tags", Value: len(o.Tags), Reason: "are too many; a log group takes 50"}
	case o.MaxEventBytes < minEventBytes || o.MaxEventBytes > MaxEventBytes:
		return &event.FieldError{Field: "max_event_bytes", Value: o.MaxEventBytes, Reason: fmt.Sprintf("is not between %d and %d; use 0 for the largest", minEventBytes, MaxEventBytes)}
	case o.Insights < 0:
		return &event.FieldError{Field: "insights", Value: o.Insights, Reason: "is negative; use 0 to read without Logs Insights"}
	}
	return nil
}

// Ping reports whether the log group can be read. A group that is missing is
// none to complain about where Write may create it.
func (r *Repository) Ping(ctx context.Context) error {
	now := r.now().UnixMilli()
	for _, err := range r.paged(ctx, request{span: span{r.prefix(timely), now, now}, limit: 1}) {
		if err != nil {
			return r.failed(ctx, "ping", err)
		}
	}
	return nil
}
