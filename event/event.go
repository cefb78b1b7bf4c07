// Package event is the vocabulary of the audit trail: the Event itself, the
// Filter and Cursor that ask for events, the context values that say who is
// acting, and the Recorder that takes events in.
//
// It is the ground every other package of eventaudit stands on, and needs
// nothing but the standard library and google/uuid. Read Event first, then
// Filter.
package event

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"
)

// SchemaVersion is the version of the event shape that this release writes
// into Event.SchemaVersion. Events taken over from the Python ancestor, which
// had no version, carry 0.
const SchemaVersion = 1

// MaxIDLength is how many bytes an event's ID may have, so that every
// repository can index it.
const MaxIDLength = 255

// Categories of the events that eventaudit records by itself. A custom event
// may use any other word.
const (
	// CategoryModel is the category of events about rows changed through GORM.
	CategoryModel = "model"
	// CategoryAction is the category of wrapped function calls. The word is
	// the ancestor's, so that a mixed trail filters alike.
	CategoryAction = "api"
	// CategoryAudit is the category of events about the trail itself: who
	// exported, imported, cleared or discarded events.
	CategoryAudit = "audit"
)

// Actions of model events.
const (
	// ActionCreated says that a row was inserted. Its result has only "new".
	ActionCreated = "created"
	// ActionChanged says that columns of a row changed. Its result has "old"
	// and "new".
	ActionChanged = "changed"
	// ActionDeleted says that a row was deleted ("old" only) or soft-deleted
	// ("old", and "new" with the columns that the soft delete set).
	ActionDeleted = "deleted"
	// ActionRestored says that a soft delete was undone.
	ActionRestored = "restored"
	// ActionBypassed says that raw SQL changed rows, which were not captured.
	// Its payload names the verb, the tables and, where it is known, how many
	// rows; there is no result.
	ActionBypassed = "bypassed"
	// ActionSummarized says that one statement changed more rows than there are
	// to be events of. Its payload counts them and names the statement's verb
	// and condition; there is no result, and no event for any of the rows.
	ActionSummarized = "summarized"
	// ActionAttached says that a relation between two records was added.
	ActionAttached = "attached"
	// ActionDetached says that a relation between two records was removed.
	ActionDetached = "detached"
)

// Actions of events about the trail itself. Each comes as two: one before it
// begins, with the filter as payload, and one when it has ended, with the number
// of events in its result.
const (
	ActionExporting  = "exporting"
	ActionExported   = "exported"
	ActionImporting  = "importing"
	ActionImported   = "imported"
	ActionClearing   = "clearing"
	ActionCleared    = "cleared"
	ActionDiscarding = "discarding"
	ActionDiscarded  = "discarded"
	ActionRetrying   = "retrying"
	ActionRetried    = "retried"
	// ActionAccessing is an attempt to use the admin panel. It is recorded when
	// it is denied, by itself.
	ActionAccessing = "accessing"
)

// Outcome says how the recorded deed ended.
type Outcome string

// The outcomes an event can have.
const (
	OutcomeSuccess Outcome = "success"
	OutcomeFailure Outcome = "failure"
	OutcomeDenied  Outcome = "denied"
)

// Event is one entry of the trail: who did what to what, when, and with which
// values. It is a plain value; copying one copies everything but the bytes
// behind Payload, Result and Meta, which must not be changed after recording.
//
// Its JSON keys are the column names of the event table. The first eleven are
// those of the Python ancestor, whose exports and tables stay readable.
type Event struct {
	// ID identifies the event everywhere: writing the same ID twice stores one
	// event. It is a UUIDv7 unless the caller brought another; the recorder
	// fills it when it is empty.
	ID string `json:"id"`
	// Category is CategoryModel, CategoryAction or a word of the app's own.
	// It is required.
	Category string `json:"category"`
	// Action is what was done. It is required.
	Action string `json:"action"`
	// Actor is who did it, as set by WithActor; ActorSystem when nobody is.
	Actor string `json:"actor"`
	// ActionObject is the kind of thing it was done to: for a model event the
	// Go type name of the model, or the table name where there is no model.
	ActionObject string `json:"action_object"`
	// ActionObjectID is which one: for a model event the primary key as text,
	// a composite key as a JSON array in schema order.
	ActionObjectID string `json:"action_object_id"`
	// TargetType and TargetID name a second thing that was involved.
	TargetType string `json:"target_type"`
	TargetID   string `json:"target_id"`
	// Timestamp is when it happened, in UTC with microseconds.
	Timestamp time.Time `json:"timestamp"`
	// Result is a JSON document: {"old": {...}, "new": {...}} with column
	// names as keys for a model event, what the function returned for an
	// action. Nil is no result. It is valid UTF-8, and nested no deeper than
	// MaxDepth; JSON makes such documents.
	Result json.RawMessage `json:"result,omitempty"`
	// Payload is a JSON document like Result: the arguments of an action,
	// anything for a custom event. Nil is no payload.
	Payload json.RawMessage `json:"payload,omitempty"`

	// Outcome is OutcomeSuccess unless said otherwise.
	Outcome Outcome `json:"outcome"`
	// Error is the text of the error behind a failure or a denial.
	Error string `json:"error,omitempty"`
	// TransactionID is shared by all events of one database transaction.
	TransactionID string `json:"transaction_id,omitempty"`
	// RequestID, TraceID, IPAddress and UserAgent come from WithRequest.
	RequestID string `json:"request_id,omitempty"`
	TraceID   string `json:"trace_id,omitempty"`
	// Tenant comes from WithTenant.
	Tenant string `json:"tenant,omitempty"`
	// Reason comes from WithReason.
	Reason string `json:"reason,omitempty"`
	// OnBehalfOf is for whom the actor acted, from OnBehalfOf.
	OnBehalfOf string `json:"on_behalf_of,omitempty"`
	IPAddress  string `json:"ip_address,omitempty"`
	UserAgent  string `json:"user_agent,omitempty"`
	// Meta holds further facts, from WithMeta.
	Meta map[string]string `json:"meta,omitempty"`
	// SchemaVersion is the version of this shape; see the constant.
	SchemaVersion int `json:"schema_version"`
	// Sequence orders the events of one record exactly, whatever the clocks
	// say. The database assigns it in the transaction; zero is not assigned.
	Sequence int64 `json:"sequence,omitempty"`
	// BeforeUnknown says that the row changed but its values before could not
	// be had exactly, so that "old" is missing from Result.
	BeforeUnknown bool `json:"before_unknown,omitempty"`
}

// New returns an event with an ID, the time of now and OutcomeSuccess.
func New(category, action string) Event {
	e := Event{Category: category, Action: action}
	e.Complete(time.Now())
	return e
}

// Complete fills what every stored event has and the caller left empty: the
// ID, the timestamp (now), the outcome and the schema version. A timestamp
// that is set is brought to UTC and cut to microseconds, the precision that
// every repository keeps.
func (e *Event) Complete(now time.Time) {
	if e.ID == "" {
		e.ID = NewID()
	}
	if e.Timestamp.IsZero() {
		e.Timestamp = now
	}
	e.Timestamp = e.Timestamp.UTC().Truncate(time.Microsecond)
	if e.Outcome == "" {
		e.Outcome = OutcomeSuccess
	}
	if e.SchemaVersion == 0 {
		e.SchemaVersion = SchemaVersion
	}
}

// NewID returns a new UUIDv7 (RFC 9562). IDs made by one process sort in the
// order in which they were made.
func NewID() string {
	return uuid.Must(uuid.NewV7()).String()
}

// Compare orders events as lists do: by timestamp, then by ID as bytes.
func Compare(a, b Event) int {
	return position{a.Timestamp, a.ID}.compare(position{b.Timestamp, b.ID})
}
