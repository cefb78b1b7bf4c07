// Package otelaudit shows the numbers of an Auditor as OpenTelemetry metrics.
// It needs the API of OpenTelemetry alone; the SDK is the app's choice:
//
//	registration, err := otelaudit.Register(otel.Meter("eventaudit"), audit)
//	if err != nil { … }
//	defer registration.Unregister()
//
// # Metrics
//
// Of the database, the same in every process:
//
//   - eventaudit.outbox.pending: events that wait in the outbox.
//   - eventaudit.outbox.oldest: how long the oldest has waited, in seconds.
//     One that grows is worth an alert.
//   - eventaudit.outbox.dead: dead letters. Any are worth an alert.
//
// Of this process:
//
//   - eventaudit.outbox.delivered, .retried, .rejected: what became of events
//     that were sent.
//   - eventaudit.outbox.lag: how long the oldest event of the last batch had
//     been under way when it arrived, in seconds.
//   - eventaudit.outbox.failures: how many times in a row the repository has
//     failed.
//   - eventaudit.lost: events that on_audit_error: continue gave up. Any are
//     worth an alert.
//
// # Limits
//
// Each collection counts what waits in the outbox, which takes the database a
// moment on a long backlog. While the database does not answer, the numbers of
// this process are all there are.
package otelaudit

import (
	"context"

	"go.opentelemetry.io/otel/metric"

	"github.com/eventaudit/eventaudit"
)

// Register makes the meter collect the numbers of the Auditor until the
// registration is undone.
func Register(meter metric.Meter, audit *eventaudit.Auditor) (metric.Registration, error) {
	i, err := newInstruments(meter)
	if err != nil {
		return nil, err
	}
	return meter.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		s, err := audit.Stats(ctx)
		if err == nil {
			i.observeDatabase(o, s)
		}
		i.observeProcess(o, s)
		return err
	}, i.all()...)
}
