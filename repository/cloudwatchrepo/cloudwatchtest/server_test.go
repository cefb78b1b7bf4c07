package cloudwatchtest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/smithy-go"

	"github.com/eventaudit/eventaudit/repository/cloudwatchrepo/cloudwatchtest"
)

var (
	now    = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	group  = aws.String("/group")
	stream = aws.String("stream")
)

// start returns a server with a group and a stream, and a client of it.
func start(t *testing.T, opts cloudwatchtest.Options) (*cloudwatchtest.Server, *cloudwatchlogs.Client) {
	t.Helper()
	if opts.Now == nil {
		opts.Now = func() time.Time { return now }
	}
	server, err := cloudwatchtest.Start(&opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	client := server.Client(func(o *cloudwatchlogs.Options) { o.Retryer = aws.NopRetryer{} })
	_, err = client.CreateLogGroup(t.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: group})
	if err == nil {
		_, err = client.CreateLogStream(t.Context(), &cloudwatchlogs.CreateLogStreamInput{LogGroupName: group, LogStreamName: stream})
	}
	if err != nil {
		t.Fatal(err)
	}
	return server, client
}

// line is an event that happened so long ago.
func line(ago time.Duration, message string) types.InputLogEvent {
	return types.InputLogEvent{Timestamp: aws.Int64(now.Add(-ago).UnixMilli()), Message: &message}
}

func lines(n int, message string) []types.InputLogEvent {
	all := make([]types.InputLogEvent, n)
	for i := range all {
		all[i] = line(0, message)
	}
	return all
}

func put(t *testing.T, client *cloudwatchlogs.Client, events ...types.InputLogEvent) (*types.RejectedLogEventsInfo, error) {
	t.Helper()
	out, err := client.PutLogEvents(t.Context(), &cloudwatchlogs.PutLogEventsInput{LogGroupName: group, LogStreamName: stream, LogEvents: events})
	if err != nil {
		return nil, err
	}
	return out.RejectedLogEventsInfo, nil
}

func code(err error) string {
	var answer smithy.APIError
	if errors.As(err, &answer) {
		return answer.ErrorCode()
	}
	return fmt.Sprint(err)
}

// A call that breaks a limit is refused as a whole.
func TestPutLimits(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return strings.Repeat("x", n) }
	const hour = time.Hour
	for _, test := range []struct {
		name    string
		events  []types.InputLogEvent
		refused bool
	}{
		{"10,000 events", lines(10_000, "x"), false},
		{"10,001 events", lines(10_001, "x"), true},
		{"1,048,576 bytes with 26 for each event", lines(16, long(1_048_576/16-26)), false},
		{"1,048,577 bytes", append(lines(15, long(1_048_576/16-26)), line(0, long(1_048_576/16-25))), true},
		{"an event of 1,048,550 bytes", lines(1, long(1_048_550)), false},
		{"an event of 1,048,551 bytes", lines(1, long(1_048_551)), true},
		{"an event without text", lines(1, ""), true},
		{"24 hours", []types.InputLogEvent{line(24*hour, "a"), line(0, "b")}, false},
		{"24 hours and a millisecond", []types.InputLogEvent{line(24*hour+time.Millisecond, "a"), line(0, "b")}, true},
		{"unsorted", []types.InputLogEvent{line(0, "b"), line(hour, "a")}, true},
		{"ties", []types.InputLogEvent{line(0, "b"), line(0, "a")}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server, client := start(t, cloudwatchtest.Options{})
			_, err := put(t, client, test.events...)
			stored := len(server.Messages(*group))
			if test.refused && (code(err) != "InvalidParameterException" || stored != 0) {
				t.Errorf("error %.200v, %d stored", err, stored)
			}
			if !test.refused && (err != nil || stored != len(test.events)) {
				t.Errorf("error %.200v, %d stored", err, stored)
			}
		})
	}
}

// What is too old, expired or too new is dropped, and the answer is a success.
func TestRejectedIndexes(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	server, client := start(t, cloudwatchtest.Options{})
	info, err := put(t, client, line(15*day, "0"), line(14*day+time.Millisecond, "1"), line(time.Hour, "2"), line(-2*time.Hour, "3"), line(-2*time.Hour-time.Millisecond, "4"))
	if err != nil || aws.ToInt32(info.TooOldLogEventEndIndex) != 2 || aws.ToInt32(info.TooNewLogEventStartIndex) != 4 || info.ExpiredLogEventEndIndex != nil {
		t.Errorf("%+v, %v", info, err)
	}
	if _, err := client.PutRetentionPolicy(t.Context(), &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: group, RetentionInDays: aws.Int32(3)}); err != nil {
		t.Fatal(err)
	}
	info, err = put(t, client, line(15*day, "5"), line(4*day, "6"), line(time.Hour, "7"))
	if err != nil || aws.ToInt32(info.TooOldLogEventEndIndex) != 1 || aws.ToInt32(info.ExpiredLogEventEndIndex) != 2 || info.TooNewLogEventStartIndex != nil {
		t.Errorf("%+v, %v", info, err)
	}
	info, err = put(t, client, line(15*day, "8"))
	if err != nil || aws.ToInt32(info.TooOldLogEventEndIndex) != 1 {
		t.Errorf("all of them: %+v, %v", info, err)
	}
	var texts string
	for _, m := range server.Messages(*group) {
		texts += m.Text
	}
	if texts != "273" {
		t.Errorf("%q are stored", texts)
	}
}

// Messages come back as they were, byte by byte.
func TestMessagesAreKept(t *testing.T) {
	t.Parallel()
	server, client := start(t, cloudwatchtest.Options{})
	texts := []string{"plain", `"quoted" \ back`, "\x00\x01\x1f\x7f\t\n\r\b\f", "é漢😀\u2028\u2029\uFFFD", "<&>", `{"a":"\u0041\ud83d\ude00"}`}
	for _, text := range texts {
		if _, err := put(t, client, line(0, text)); err != nil {
			t.Fatal(err)
		}
	}
	for i, m := range server.Messages(*group) {
		if m.Text != texts[i] {
			t.Errorf("%q has become %q", texts[i], m.Text)
		}
	}
}

func search(t *testing.T, client *cloudwatchlogs.Client, in cloudwatchlogs.FilterLogEventsInput) (texts []string, pages int, err error) {
	t.Helper()
	in.LogGroupName = group
	for {
		out, err := client.FilterLogEvents(t.Context(), &in)
		if err != nil {
			return texts, pages, err
		}
		pages++
		for _, e := range out.Events {
			texts = append(texts, *e.Message)
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			return texts, pages, nil
		}
	}
}

// Searches go page by page, forwards and backwards, with both ends.
func TestSearch(t *testing.T) {
	t.Parallel()
	_, client := start(t, cloudwatchtest.Options{ScanPerPage: 4})
	var events []types.InputLogEvent
	for i := range 10 {
		events = append(events, line(time.Duration(9-i)*time.Second, fmt.Sprintf(`{"n":%d}`, i)))
	}
	if _, err := put(t, client, events...); err != nil {
		t.Fatal(err)
	}
	at := func(n int) *int64 { return aws.Int64(now.Add(time.Duration(n-9) * time.Second).UnixMilli()) }
	for _, test := range []struct {
		in    cloudwatchlogs.FilterLogEventsInput
		want  string
		pages int
	}{
		{cloudwatchlogs.FilterLogEventsInput{}, "0123456789", 3},
		{cloudwatchlogs.FilterLogEventsInput{StartTime: at(2), EndTime: at(4)}, "234", 1},
		{cloudwatchlogs.FilterLogEventsInput{StartTime: at(2), StartFromHead: aws.Bool(false)}, "98765432", 2},
		{cloudwatchlogs.FilterLogEventsInput{Limit: aws.Int32(3)}, "0123456789", 4},
		{cloudwatchlogs.FilterLogEventsInput{FilterPattern: aws.String("{ $.n >= 9 }")}, "9", 3}, // two are empty
		{cloudwatchlogs.FilterLogEventsInput{LogStreamNamePrefix: aws.String("str"), StartTime: at(9)}, "9", 1},
		{cloudwatchlogs.FilterLogEventsInput{LogStreamNames: []string{"other"}}, "", 1},
	} {
		texts, pages, err := search(t, client, test.in)
		got := strings.NewReplacer(`{"n":`, "", "}", "").Replace(strings.Join(texts, ""))
		if err != nil || got != test.want || pages != test.pages {
			t.Errorf("%+v: %q on %d pages, %v; want %q on %d", test.in, got, pages, err, test.want, test.pages)
		}
	}
	for name, in := range map[string]cloudwatchlogs.FilterLogEventsInput{
		"backwards before 2024":   {StartTime: aws.Int64(0), StartFromHead: aws.Bool(false)},
		"names and a prefix":      {LogStreamNames: []string{"a"}, LogStreamNamePrefix: aws.String("b")},
		"101 names":               {LogStreamNames: strings.Split(strings.Repeat("a ", 101), " ")},
		"a pattern of 1,025":      {FilterPattern: aws.String(`{ $.a = "` + strings.Repeat("x", 1014) + `" }`)},
		"a limit of 10,001":       {Limit: aws.Int32(10_001)},
		"a token of somebody":     {NextToken: aws.String("token")},
		"a pattern without sense": {FilterPattern: aws.String(`{ $.a = }`)},
	} {
		if _, _, err := search(t, client, in); code(err) != "InvalidParameterException" {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// What AWS refuses about groups and streams is refused.
func TestControlPlane(t *testing.T) {
	t.Parallel()
	server, client := start(t, cloudwatchtest.Options{})
	tags := map[string]string{}
	for n := range 51 {
		tags[fmt.Sprint(n)] = ""
	}
	none := aws.String("/none")
	create := func(name *string, tags map[string]string) error {
		_, err := client.CreateLogGroup(t.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: name, Tags: tags})
		return err
	}
	createStream := func(group *string, name string) error {
		_, err := client.CreateLogStream(t.Context(), &cloudwatchlogs.CreateLogStreamInput{LogGroupName: group, LogStreamName: &name})
		return err
	}
	retain := func(days int32) error {
		_, err := client.PutRetentionPolicy(t.Context(), &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: group, RetentionInDays: &days})
		return err
	}
	tag := func(tags map[string]string) error {
		_, err := client.TagResource(t.Context(), &cloudwatchlogs.TagResourceInput{ResourceArn: aws.String("arn:aws:logs:eu-north-1:123456789012:log-group:" + *group), Tags: tags})
		return err
	}
	protect := func(on bool) error {
		_, err := client.PutLogGroupDeletionProtection(t.Context(), &cloudwatchlogs.PutLogGroupDeletionProtectionInput{LogGroupIdentifier: group, DeletionProtectionEnabled: &on})
		return err
	}
	drop := func() error {
		_, err := client.DeleteLogGroup(t.Context(), &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: group})
		return err
	}
	dropStream := func(name string) error {
		_, err := client.DeleteLogStream(t.Context(), &cloudwatchlogs.DeleteLogStreamInput{LogGroupName: group, LogStreamName: &name})
		return err
	}
	for _, step := range []struct {
		name string
		err  error
		code string
	}{
		{"group that exists", create(group, nil), "ResourceAlreadyExistsException"},
		{"group with a colon", create(aws.String("a:b"), nil), "InvalidParameterException"},
		{"51 tags", create(none, tags), "InvalidParameterException"},
		{"stream that exists", createStream(group, *stream), "ResourceAlreadyExistsException"},
		{"stream with a colon", createStream(group, "a:b"), "InvalidParameterException"},
		{"stream of 513", createStream(group, strings.Repeat("s", 513)), "InvalidParameterException"},
		{"stream without a group", createStream(none, "s"), "ResourceNotFoundException"},
		{"two days", retain(2), "InvalidParameterException"},
		{"three days", retain(3), "<nil>"},
		{"tags", tag(map[string]string{"a": "b"}), "<nil>"},
		{"too many tags", tag(tags), "TooManyTagsException"},
		{"protection", protect(true), "<nil>"},
		{"group that is protected", drop(), "ValidationException"},
		{"stream that is protected", dropStream(*stream), "ValidationException"},
	} {
		if code(step.err) != step.code {
			t.Errorf("%s: error %v, want %s", step.name, step.err, step.code)
		}
	}
	if g, ok := server.Group(*group); !ok || g.RetentionInDays != 3 || g.Tags["a"] != "b" || !g.DeletionProtected || len(g.Streams) != 1 {
		t.Errorf("%+v, %v", g, ok)
	}
	for _, step := range []struct {
		name string
		err  error
		code string
	}{
		{"no protection", protect(false), "<nil>"},
		{"stream that is not there", dropStream("none"), "ResourceNotFoundException"},
		{"stream", dropStream(*stream), "<nil>"},
		{"group", drop(), "<nil>"},
		{"group again", drop(), "ResourceNotFoundException"},
	} {
		if code(step.err) != step.code {
			t.Errorf("%s: error %v, want %s", step.name, step.err, step.code)
		}
	}
}

// Other keys are refused.
func TestAccessKey(t *testing.T) {
	t.Parallel()
	_, client := start(t, cloudwatchtest.Options{})
	_, err := client.DescribeLogStreams(t.Context(), &cloudwatchlogs.DescribeLogStreamsInput{LogGroupName: group}, func(o *cloudwatchlogs.Options) {
		o.Credentials = aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "other", SecretAccessKey: "other"}, nil
		})
	})
	if code(err) != "UnrecognizedClientException" {
		t.Errorf("error %v", err)
	}
}
