package cloudwatchrepo_test

import (
	"testing"
	"time"

	"github.com/eventaudit/eventaudit/repository"
	"github.com/eventaudit/eventaudit/repository/cloudwatchrepo"
	"github.com/eventaudit/eventaudit/repository/cloudwatchrepo/cloudwatchtest"
	"github.com/eventaudit/eventaudit/repository/repositorytest"
)

// features are what CloudWatch does not give.
var features = repositorytest.Features{NoRemove: true, LaterContents: true}

// The events of the suite are older than CloudWatch takes: all are stored
// under the time of their arrival.
func TestConformance(t *testing.T) {
	t.Parallel()
	repositorytest.Run(t, func(t *testing.T) repository.Repository { return open(t, start(t, nil), nil) }, features)
}

// Nearly all events are stored under their own time.
func TestConformanceInTime(t *testing.T) {
	t.Parallel()
	now := at(time.Date(2025, time.March, 1, 12, 10, 0, 0, time.UTC))
	repositorytest.Run(t, func(t *testing.T) repository.Repository {
		r := open(t, start(t, &cloudwatchtest.Options{Now: now}), nil)
		cloudwatchrepo.SetClock(r, now)
		cloudwatchrepo.AllowSkew(r, 10*365*24*time.Hour) // the suite makes IDs today
		return r
	}, features)
}

func TestConformanceWithInsights(t *testing.T) {
	t.Parallel()
	now := at(time.Date(2025, time.March, 1, 12, 10, 0, 0, time.UTC))
	repositorytest.Run(t, func(t *testing.T) repository.Repository {
		r := open(t, start(t, &cloudwatchtest.Options{Now: now}), &cloudwatchrepo.Options{CreateGroup: true, Insights: time.Nanosecond})
		cloudwatchrepo.SetClock(r, now)
		cloudwatchrepo.AllowSkew(r, 10*365*24*time.Hour) // the suite makes IDs today
		return r
	}, features)
}

// Events show a while after they were stored, as those of CloudWatch do, and
// pages are small and often empty.
func TestConformanceOfALaggingService(t *testing.T) {
	t.Parallel()
	lagging := features
	lagging.Eventually = func(t testing.TB, check func() error) {
		t.Helper()
		var err error
		for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
			if err = check(); err == nil {
				return
			}
		}
		t.Fatalf("gave up: %v", err)
	}
	repositorytest.Run(t, func(t *testing.T) repository.Repository {
		server := start(t, &cloudwatchtest.Options{Delay: 5 * time.Millisecond, ScanPerPage: 700})
		server.Inject(cloudwatchtest.Fault{Kind: cloudwatchtest.EmptyPage, Share: 0.3, Operation: "FilterLogEvents"})
		return open(t, server, nil)
	}, lagging)
}
