package actions_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/eventaudit/eventaudit/actions"
	"github.com/eventaudit/eventaudit/event"
)

// recorder keeps the events it gets; it knows nothing of transactions.
type recorder struct {
	mutex  sync.Mutex
	events []event.Event
	err    error
}

func (r *recorder) Record(ctx context.Context, events ...event.Event) error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if r.err != nil {
		return r.err
	}
	for _, e := range events {
		e.FillFrom(ctx)
		if err := event.Validate(e); err != nil {
			return err
		}
		r.events = append(r.events, e)
	}
	return nil
}

// service has methods of every signature.
type service struct{}

type order struct {
	ID    int
	Items []string
}

var (
	errMissing   = errors.New("missing")
	errForbidden = errors.New("forbidden")
)

func (service) Publish(_ context.Context, o *order) (string, error) {
	o.Items = append(o.Items, "changed by the action")
	return fmt.Sprintf("order %d", o.ID), nil
}

func (service) Close(_ context.Context, id int) error {
	switch id {
	case 0:
		return errMissing
	case 1:
		return fmt.Errorf("order %d: %w", id, errForbidden)
	}
	return nil
}

func (service) Totals(context.Context) (map[string]int, error) {
	return map[string]int{"open": 3}, nil
}
func (service) Sweep(context.Context) error { return nil }

var ignored = cmpopts.IgnoreFields(event.Event{}, "RequestID", "Meta")

// Type arguments are inferred for methods of every signature.
func TestMethodsAreWrapped(t *testing.T) {
	t.Parallel()
	var rec recorder
	var svc service
	ctx := event.WithActor(t.Context(), "ann")
	publish := actions.Wrap(&rec, "order_publish", svc.Publish,
		actions.Object(func(o *order) (string, string) { return "Order", fmt.Sprint(o.ID) }),
		actions.Target(func(*order) (string, string) { return "Shop", "7" }))
	closing := actions.WrapErr(&rec, "order_close", svc.Close,
		actions.Denied(func(err error) bool { return errors.Is(err, errForbidden) }))

	if out, err := publish(ctx, &order{ID: 17, Items: []string{"tea"}}); out != "order 17" || err != nil {
		t.Errorf("publish: %q, %v", out, err)
	}
	for id, want := range []error{errMissing, errForbidden, nil} {
		if err := closing(ctx, id); !errors.Is(err, want) {
			t.Errorf("close %d: %v, want %v", id, err, want)
		}
	}
	if out, err := actions.Run(ctx, &rec, "order_totals", "today", svc.Totals); out["open"] != 3 || err != nil {
		t.Errorf("totals: %v, %v", out, err)
	}
	if err := actions.RunErr(ctx, &rec, "order_sweep", any(nil), svc.Sweep); err != nil {
		t.Errorf("sweep: %v", err)
	}
	api := func(action string, outcome event.Outcome) event.Event {
		return event.Event{Category: event.CategoryAction, Action: action, Actor: "ann", Outcome: outcome}
	}
	published := api("order_publish", event.OutcomeSuccess)
	published.ActionObject, published.ActionObjectID, published.TargetType, published.TargetID = "Order", "17", "Shop", "7"
	published.Payload, published.Result = event.JSON(order{17, []string{"tea"}}), event.JSON("order 17")
	missing := api("order_close", event.OutcomeFailure)
	missing.Payload, missing.Error = event.JSON(0), "missing"
	denied := api("order_close", event.OutcomeDenied)
	denied.Payload, denied.Error = event.JSON(1), "order 1: forbidden"
	closed := api("order_close", event.OutcomeSuccess)
	closed.Payload = event.JSON(2)
	totals := api("order_totals", event.OutcomeSuccess)
	totals.Payload, totals.Result = event.JSON("today"), event.JSON(map[string]int{"open": 3})
	want := []event.Event{published, missing, denied, closed, totals, api("order_sweep", event.OutcomeSuccess)}
	if diff := cmp.Diff(want, rec.events, ignored); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestPayloadAndResultAreChosen(t *testing.T) {
	t.Parallel()
	var rec recorder
	login := actions.Wrap(&rec, "login", func(context.Context, [2]string) (string, error) { return "session key", nil },
		actions.Payload(func(in [2]string) any { return map[string]string{"user": in[0]} }),
		actions.Result(func(string) any { return nil }),
		actions.Skip(func(_ context.Context, e event.Event) bool { return string(e.Payload) == `{"user":"probe"}` }))
	for _, user := range []string{"ann", "probe"} {
		if out, err := login(t.Context(), [2]string{user, "hunter2"}); out != "session key" || err != nil {
			t.Fatal(out, err)
		}
	}
	if len(rec.events) != 1 || string(rec.events[0].Payload) != `{"user":"ann"}` || rec.events[0].Result != nil {
		t.Errorf("%+v", rec.events)
	}
}

// Struct tags hide what they hide in rows.
func TestStructTags(t *testing.T) {
	t.Parallel()
	type employee struct {
		Name string
		IBAN string `audit:"redact"`
		PIN  string `audit:"-"`
	}
	var rec recorder
	hire := actions.Wrap(&rec, "hire", func(_ context.Context, e employee) ([]*employee, error) { return []*employee{&e}, nil })
	if out, err := hire(t.Context(), employee{"ann", "DE02", "1234"}); err != nil || out[0].IBAN != "DE02" {
		t.Fatal(out, err)
	}
	if e := rec.events[0]; string(e.Payload) != `{"IBAN":"[redacted]","Name":"ann"}` || string(e.Result) != `[{"IBAN":"[redacted]","Name":"ann"}]` {
		t.Errorf("%s becomes %s", e.Payload, e.Result)
	}
}

// A panic is recorded and goes on as it was; so does the end of a goroutine.
func TestPanics(t *testing.T) {
	t.Parallel()
	var rec recorder
	value := &order{ID: 1}
	func() {
		defer func() {
			if got := recover(); got != any(value) {
				t.Errorf("recovered %v", got)
			}
		}()
		_ = actions.RunErr(t.Context(), &rec, "crash", "x", func(context.Context) error { panic(value) })
		t.Error("it returned")
	}()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = actions.RunErr(t.Context(), &rec, "exit", "x", func(context.Context) error {
			runtime.Goexit()
			return nil
		})
		t.Error("it returned")
	}()
	<-done
	var got []string
	for _, e := range rec.events {
		got = append(got, e.Action+" "+string(e.Outcome)+" "+e.Error)
	}
	want := []string{"crash failure panic: &{1 []}", "exit failure the function ended its goroutine"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// What cannot be encoded or stored as text never fails the action, and never
// keeps it from the trail.
// nameless is an error whose Error panics when it is nil.
type nameless struct{ text string }

func (n *nameless) Error() string { return n.text }

// What is asked of the app about an action neither fails it nor keeps it from
// the trail.
func TestOptionsThatPanic(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	for name, x := range map[string]struct {
		option actions.Option
		err    error
		want   event.Event
	}{
		"object": {
			actions.Object(func(o *order) (string, string) { return "order", strconv.Itoa(o.ID) }), nil,
			event.Event{Outcome: event.OutcomeSuccess},
		},
		"target": {actions.Target(func(*order) (string, string) { panic("boom") }), nil, event.Event{Outcome: event.OutcomeSuccess}},
		"denied": {actions.Denied(func(error) bool { panic("boom") }), boom, event.Event{Outcome: event.OutcomeFailure, Error: "boom"}},
		"skip":   {actions.Skip(func(context.Context, event.Event) bool { panic("boom") }), nil, event.Event{Outcome: event.OutcomeSuccess}},
		"error":  {actions.Denied(func(error) bool { return false }), (*nameless)(nil), event.Event{Outcome: event.OutcomeFailure, Error: "<nil>"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var rec recorder
			ran := false
			err := actions.RunErr(t.Context(), &rec, "x", (*order)(nil), func(context.Context) error {
				ran = true
				return x.err
			}, x.option)
			if !ran || err != x.err { //nolint:errorlint // it is that error itself
				t.Errorf("the function ran: %v, and returned %T", ran, err)
			}
			if len(rec.events) != 1 {
				t.Fatalf("%d events, want one", len(rec.events))
			}
			got := rec.events[0]
			if got.Outcome != x.want.Outcome || got.Error != x.want.Error || got.ActionObjectID != "" {
				t.Errorf("%+v", got)
			}
			if said := got.Meta[name]; strings.HasPrefix(said, "panic: ") != (name != "error") {
				t.Errorf("meta says %v", got.Meta)
			}
		})
	}
}

func TestValuesThatJSONCannotHold(t *testing.T) {
	t.Parallel()
	var rec recorder
	out, err := actions.Run(t.Context(), &rec, "ratio", make(chan int), func(context.Context) (float64, error) {
		return math.NaN(), nil
	}, actions.Object(func(chan int) (string, string) { return "a\xff", "b\xff" }))
	if !math.IsNaN(out) || err != nil {
		t.Fatal(out, err)
	}
	broken := fmt.Errorf("bad\xffbytes")
	if err := actions.RunErr(t.Context(), &rec, "fail", hostile{}, func(context.Context) error { return broken }); err != broken { //nolint:errorlint // the very same
		t.Fatal(err)
	}
	want := []event.Event{
		{
			Category: event.CategoryAction, Action: "ratio", Outcome: event.OutcomeSuccess,
			ActionObject: "a\uFFFD", ActionObjectID: "b\uFFFD",
			Payload: event.JSON(map[string]string{"not_encoded": "json: unsupported type: chan int"}),
			Result:  event.JSON(map[string]string{"not_encoded": "json: unsupported value: NaN"}),
		},
		{
			Category: event.CategoryAction, Action: "fail", Outcome: event.OutcomeFailure, Error: "bad\uFFFDbytes",
			Payload: event.JSON(map[string]string{"not_encoded": "panic: no JSON today"}),
		},
	}
	if diff := cmp.Diff(want, rec.events, ignored); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// A request may bring JSON that is not UTF-8, or nested deeper than anybody
// reads: json.Unmarshal takes it for a json.RawMessage. The action is recorded
// all the same, without what its tags hide.
func TestJSONOfTheCaller(t *testing.T) {
	t.Parallel()
	type webhook struct {
		Secret string `audit:"redact"`
		Body   json.RawMessage
	}
	deep := func(levels int) string { return strings.Repeat("[", levels) + strings.Repeat("]", levels) }
	for _, test := range []struct{ name, body, want string }{
		{"not UTF-8", "{\"name\":\"a\xffb\"}", "{\"Body\":{\"name\":\"a\uFFFDb\"},\"Secret\":\"[redacted]\"}"},
		{"deep", deep(event.MaxDepth - 1), `{"Body":` + deep(event.MaxDepth-1) + `,"Secret":"[redacted]"}`},
		{"too deep", deep(event.MaxDepth), `{"not_encoded":"json: nested deeper than 9998 levels"}`},
	} {
		for _, want := range []error{nil, errForbidden} {
			in := webhook{Secret: "hunter2"}
			if err := json.Unmarshal([]byte(`{"Body":`+test.body+`}`), &in); err != nil {
				t.Fatal(err)
			}
			var rec recorder
			out, err := actions.Run(t.Context(), &rec, "hook", in, func(context.Context) (webhook, error) { return in, want },
				actions.Denied(func(error) bool { return true }))
			if err != want || string(out.Body) != test.body { //nolint:errorlint // the very same
				t.Errorf("%s: %.200v", test.name, err)
			}
			if len(rec.events) != 1 {
				t.Fatalf("%s: %d events, want one", test.name, len(rec.events))
			}
			if e := rec.events[0]; string(e.Payload) != test.want || want == nil && string(e.Result) != test.want {
				t.Errorf("%s: recorded %.200s and %.200s", test.name, e.Payload, e.Result)
			}
		}
	}
}

// latin1 encodes itself, and not as UTF-8.
type latin1 string

func (l latin1) MarshalJSON() ([]byte, error) { return []byte(`"` + string(l) + `"`), nil }

func TestAMarshalerThatIsNotUTF8(t *testing.T) {
	t.Parallel()
	var rec recorder
	if err := actions.RunErr(t.Context(), &rec, "greet", latin1("gr\xfc\xdfe"), func(context.Context) error { return errMissing }); err != errMissing { //nolint:errorlint // the very same
		t.Fatal(err)
	}
	if len(rec.events) != 1 || string(rec.events[0].Payload) != "\"gr\uFFFDe\"" {
		t.Errorf("%+v", rec.events)
	}
}

type hostile struct{}

func (hostile) MarshalJSON() ([]byte, error) { panic("no JSON today") }

// The error of the recorder comes beside the function's own.
func TestNotRecorded(t *testing.T) {
	t.Parallel()
	full := errors.New("disk full")
	rec := recorder{err: full}
	out, err := actions.Run(t.Context(), &rec, "pay", 1, func(context.Context) (int, error) { return 7, nil })
	if out != 7 || !errors.Is(err, actions.ErrNotRecorded) || !errors.Is(err, full) {
		t.Errorf("success: %d, %v", out, err)
	}
	err = actions.RunErr(t.Context(), &rec, "pay", 1, func(context.Context) error { return errMissing })
	if !errors.Is(err, errMissing) || !errors.Is(err, actions.ErrNotRecorded) {
		t.Errorf("failure: %v", err)
	}
	rec.err = nil
	if err := actions.RunErr(t.Context(), &rec, "pay", 1, func(context.Context) error { return errMissing }); err != errMissing { //nolint:errorlint // the very same
		t.Errorf("recorded failure: %v", err)
	}
}

// The context of the caller may end; the recorder's lasts five seconds more.
func TestACancelledContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var rec recorder
		ctx, cancel := context.WithCancel(event.WithActor(t.Context(), "ann"))
		err := actions.RunErr(ctx, &rec, "pay", 1, func(ctx context.Context) error {
			cancel()
			<-ctx.Done()
			return ctx.Err()
		})
		if !errors.Is(err, context.Canceled) || len(rec.events) != 1 || rec.events[0].Actor != "ann" || rec.events[0].Error != "context canceled" {
			t.Errorf("%v, %+v", err, rec.events)
		}
		begun := time.Now()
		err = actions.RunErr(ctx, stuck{}, "pay", 1, func(context.Context) error { return nil })
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != 5*time.Second {
			t.Errorf("a recorder that does not answer: %v after %s", err, time.Since(begun))
		}
	})
}

type stuck struct{}

func (stuck) Record(ctx context.Context, _ ...event.Event) error {
	<-ctx.Done()
	return ctx.Err()
}

// The duration and the request of what happens inside.
func TestWhatAnActionShares(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var rec recorder
		var inside event.Request
		work := func(ctx context.Context) error {
			inside = event.RequestFrom(ctx)
			time.Sleep(1500 * time.Millisecond) //nolint:forbidigo // in a bubble
			return nil
		}
		request := event.Request{IPAddress: "::1"}
		if err := actions.RunErr(event.WithRequest(t.Context(), request), &rec, "work", 1, work); err != nil {
			t.Fatal(err)
		}
		e := rec.events[0]
		if inside.ID == "" || inside.ID != e.RequestID || e.IPAddress != "::1" || e.Meta["duration"] != "1.5s" {
			t.Errorf("%+v inside of %+v", inside, e)
		}
		request.ID = "from outside"
		if err := actions.RunErr(event.WithRequest(t.Context(), request), &rec, "work", 1, work); err != nil {
			t.Fatal(err)
		}
		if inside.ID != "from outside" || rec.events[1].RequestID != "from outside" {
			t.Errorf("%+v inside of %+v", inside, rec.events[1])
		}
	})
}

func TestWithoutAudit(t *testing.T) {
	t.Parallel()
	rec := recorder{err: errors.New("asked")}
	if err := actions.RunErr(event.WithoutAudit(t.Context()), &rec, "pay", 1, func(context.Context) error { return nil }); err != nil {
		t.Error(err)
	}
}

// Wrap and WrapErr panic where Run and RunErr return the error.
func TestWrongActions(t *testing.T) {
	t.Parallel()
	var rec recorder
	fine := func(context.Context, int) (string, error) { return "", nil }
	for field, wrap := range map[string]func(){
		"recorder": func() { actions.Wrap(nil, "x", fine) },
		"name":     func() { actions.Wrap(&rec, "", fine) },
		"function": func() { actions.WrapErr[int](&rec, "x", nil) },
		"Object":   func() { actions.Wrap(&rec, "x", fine, actions.Object(func(string) (string, string) { return "", "" })) },
		"Target":   func() { actions.Wrap(&rec, "x", fine, actions.Target(func(uint) (string, string) { return "", "" })) },
		"Payload":  func() { actions.Wrap(&rec, "x", fine, actions.Payload(func(any) any { return nil })) },
		"Result":   func() { actions.Wrap(&rec, "x", fine, actions.Result(func(int) any { return nil })) },
	} {
		func() {
			defer func() {
				err, _ := recover().(error)
				var broken *event.FieldError
				if !errors.As(err, &broken) || broken.Field != field {
					t.Errorf("%s: %v", field, err)
				}
			}()
			wrap()
		}()
	}
	_, err := actions.Run(t.Context(), &rec, "x", 1, func(context.Context) (string, error) {
		t.Error("it ran")
		return "", nil
	}, actions.Payload(func(string) any { return nil }))
	if !errors.Is(err, event.ErrInvalid) {
		t.Errorf("Run: %v", err)
	}
	if err := actions.RunErr(t.Context(), nil, "x", 1, func(context.Context) error { return nil }); !errors.Is(err, event.ErrInvalid) {
		t.Errorf("RunErr: %v", err)
	}
}

// A context that is an interface keeps its nil.
func TestNilArguments(t *testing.T) {
	t.Parallel()
	var rec recorder
	look := actions.Wrap(&rec, "look", func(context.Context, error) (error, error) { return nil, nil }, //nolint:staticcheck // a result that is an interface
		actions.Object(func(in error) (string, string) { return fmt.Sprint(in == nil), "" }),
		actions.Result(func(out error) any { return out == nil }))
	if _, err := look(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if e := rec.events[0]; e.ActionObject != "true" || string(e.Result) != "true" || e.Payload != nil {
		t.Errorf("%+v", e)
	}
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	var rec recorder
	double := actions.Wrap(&rec, "double", func(_ context.Context, n int) (int, error) { return 2 * n, nil })
	var group sync.WaitGroup
	for n := range 64 {
		group.Go(func() {
			ctx := event.WithActor(t.Context(), fmt.Sprint(n))
			if out, err := double(ctx, n); out != 2*n || err != nil {
				t.Error(out, err)
			}
		})
	}
	group.Wait()
	for _, e := range rec.events {
		if e.Actor != string(e.Payload) {
			t.Errorf("%s did %s", e.Actor, e.Payload)
		}
	}
}
