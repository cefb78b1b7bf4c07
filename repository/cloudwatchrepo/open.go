package cloudwatchrepo

import (
	"context"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository"
)

func init() {
	repository.Register("cloudwatch", open)
}

// firstLook is how long the start of an app may wait for CloudWatch.
const firstLook = 5 * time.Second

// open opens the log group of the settings. One that cannot be reached is no
// reason not to start: events wait in the outbox.
func open(ctx context.Context, s repository.Settings) (repository.Repository, error) {
	client, err := dial(ctx, s.CloudWatch)
	if err != nil {
		return nil, err
	}
	r, err := New(client, &Options{
		Group: s.CloudWatch.LogGroup, Stream: s.CloudWatch.LogStream, CreateGroup: true, Logger: s.Logger,
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, firstLook)
	defer cancel()
	if err := r.Ping(ctx); err != nil {
		r.options.Logger.Warn("CloudWatch Logs is not ready; audit events wait until it is", "error", err)
	}
	return r, nil
}

// dial returns a client for the settings, and for what the environment, the
// shared configuration files or the machine say of what is left out.
func dial(ctx context.Context, s repository.CloudWatchSettings) (*cloudwatchlogs.Client, error) {
	if err := check(s); err != nil {
		return nil, err
	}
	var options []func(*config.LoadOptions) error
	if s.Region != "" {
		options = append(options, config.WithRegion(s.Region))
	}
	if s.AccessKey != "" {
		options = append(options, config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(s.AccessKey, s.SecretKey, "")))
	}
	loaded, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, &callError{"open", err}
	}
	if loaded.Region == "" {
		return nil, &event.FieldError{Field: "cloudwatch.region", Value: "", Reason: "is missing, and neither the environment (AWS_REGION) nor the AWS configuration names one; set it, for example to eu-central-1"}
	}
	return cloudwatchlogs.NewFromConfig(loaded, func(o *cloudwatchlogs.Options) {
		if s.Endpoint != "" {
			o.BaseEndpoint = aws.String(s.Endpoint)
		}
	}), nil
}

func check(s repository.CloudWatchSettings) error {
	if (s.AccessKey == "") != (s.SecretKey == "") {
		return &event.FieldError{Field: "cloudwatch.access_key", Value: "***", Reason: "and cloudwatch.secret_key go together; set both, or none for the AWS default credential chain"}
	}
	if s.Endpoint == "" {
		return nil
	}
	u, err := url.Parse(s.Endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
		// It is not repeated: it may hold a password.
		return &event.FieldError{Field: "cloudwatch.endpoint", Value: "…", Reason: "is not http://host[:port] or https://host[:port], without a login; correct it"}
	}
	return nil
}
