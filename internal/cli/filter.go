package cli

import (
	"strings"

	"github.com/spf13/pflag"

	"github.com/eventaudit/eventaudit/event"
)

// fieldFlags adds a flag for every field of the filter, named after it.
func fieldFlags(flags *pflag.FlagSet, f *event.Filter) {
	for _, field := range []struct {
		name   string
		target *string
	}{
		{"id", &f.ID},
		{"category", &f.Category},
		{"action", &f.Action},
		{"actor", &f.Actor},
		{"action-object", &f.ActionObject},
		{"action-object-id", &f.ActionObjectID},
		{"target-type", &f.TargetType},
		{"target-id", &f.TargetID},
		{"outcome", (*string)(&f.Outcome)},
		{"error", &f.Error},
		{"transaction-id", &f.TransactionID},
		{"request-id", &f.RequestID},
		{"trace-id", &f.TraceID},
		{"tenant", &f.Tenant},
		{"reason", &f.Reason},
		{"on-behalf-of", &f.OnBehalfOf},
		{"ip-address", &f.IPAddress},
		{"user-agent", &f.UserAgent},
	} {
		flags.StringVar(field.target, field.name, "", "only events with this "+strings.ReplaceAll(field.name, "-", " "))
	}
}
