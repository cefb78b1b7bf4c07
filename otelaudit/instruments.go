package otelaudit

import (
	"errors"

	"go.opentelemetry.io/otel/metric"

	"github.com/eventaudit/eventaudit"
)

// instruments are all the metrics.
type instruments struct {
	pending, dead, failures            metric.Int64ObservableGauge
	oldest, lag                        metric.Float64ObservableGauge
	delivered, retried, rejected, lost metric.Int64ObservableCounter
}

func newInstruments(meter metric.Meter) (*instruments, error) {
	var problems []error
	gauge := func(name, unit, description string) metric.Int64ObservableGauge {
		i, err := meter.Int64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(description))
		problems = append(problems, err)
		return i
	}
	age := func(name, description string) metric.Float64ObservableGauge {
		i, err := meter.Float64ObservableGauge(name, metric.WithUnit("s"), metric.WithDescription(description))
		problems = append(problems, err)
		return i
	}
	counter := func(name, description string) metric.Int64ObservableCounter {
		i, err := meter.Int64ObservableCounter(name, metric.WithUnit("{event}"), metric.WithDescription(description))
		problems = append(problems, err)
		return i
	}
	i := &instruments{
		pending:   gauge("eventaudit.outbox.pending", "{event}", "Events that wait in the outbox."),
		dead:      gauge("eventaudit.outbox.dead", "{event}", "Dead letters."),
		failures:  gauge("eventaudit.outbox.failures", "{failure}", "How many times in a row the repository has failed."),
		oldest:    age("eventaudit.outbox.oldest", "How long the oldest event has waited in the outbox."),
		lag:       age("eventaudit.outbox.lag", "How long the oldest event of the last batch had been under way when it arrived."),
		delivered: counter("eventaudit.outbox.delivered", "Events that the repository took."),
		retried:   counter("eventaudit.outbox.retried", "Events that went back into the outbox to be tried again."),
		rejected:  counter("eventaudit.outbox.rejected", "How often the repository refused an event."),
		lost:      counter("eventaudit.lost", "Events that were given up because they could not be written."),
	}
	return i, errors.Join(problems...)
}

func (i *instruments) all() []metric.Observable {
	return []metric.Observable{i.pending, i.dead, i.failures, i.oldest, i.lag, i.delivered, i.retried, i.rejected, i.lost}
}

func (i *instruments) observeDatabase(o metric.Observer, s eventaudit.Stats) {
	o.ObserveInt64(i.pending, s.Pending)
	o.ObserveInt64(i.dead, s.Dead)
	o.ObserveFloat64(i.oldest, s.OldestPending.Seconds())
}

func (i *instruments) observeProcess(o metric.Observer, s eventaudit.Stats) {
	o.ObserveInt64(i.failures, int64(s.Failures))
	o.ObserveFloat64(i.lag, s.Lag.Seconds())
	o.ObserveInt64(i.delivered, s.Delivered)
	o.ObserveInt64(i.retried, s.Retried)
	o.ObserveInt64(i.rejected, s.Rejected)
	o.ObserveInt64(i.lost, s.Lost)
}
