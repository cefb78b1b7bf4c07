package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/plain"
)

// timeFormat is how times are shown to people.
const timeFormat = "2006-01-02 15:04:05.000 MST"

// table prints events as aligned lines. It colours the actions on a terminal.
type table struct {
	out     io.Writer
	zone    *time.Location
	colours bool
}

func (a *app) table(zone *time.Location) table {
	return table{a.streams.Out, zone, isTerminal(a.streams.Out) && os.Getenv("NO_COLOR") == ""}
}

func (t table) print(events []event.Event) error {
	var lines bytes.Buffer
	w := tabwriter.NewWriter(&lines, 0, 0, 2, ' ', 0)
	rows := []string{"WHEN\tWHO\tWHAT\tWHICH\tVALUES\n"}
	for _, e := range events {
		rows = append(rows, fmt.Sprintf("%s\t%s\t%s\t%s\t%s\n", e.Timestamp.In(t.zone).Format(timeFormat),
			plain.Text(e.Actor), plain.Text(e.Action), plain.Text(strings.TrimSpace(e.ActionObject+" "+e.ActionObjectID)), values(e)))
	}
	if _, err := io.WriteString(w, strings.Join(rows, "")); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for i, line := range strings.Split(strings.TrimSuffix(lines.String(), "\n"), "\n") {
		line = strings.TrimRight(line, " ")
		if t.colours && i > 0 {
			line = colour(events[i-1]) + line + "\x1b[0m"
		}
		if _, err := fmt.Fprintln(t.out, line); err != nil {
			return err
		}
	}
	return nil
}

func colour(e event.Event) string {
	switch {
	case e.Outcome == event.OutcomeFailure || e.Outcome == event.OutcomeDenied:
		return "\x1b[31m"
	case e.Action == event.ActionCreated:
		return "\x1b[32m"
	case e.Action == event.ActionDeleted:
		return "\x1b[35m"
	}
	return ""
}

// maxValue is how many characters of a value a line shows.
const maxValue = 40

// values says what changed: old → new by column, or the documents of an event
// that is not about a row.
func values(e event.Event) string {
	if e.Error != "" {
		return plain.Text(e.Error)
	}
	var images struct{ Old, New map[string]json.RawMessage }
	if e.Category != event.CategoryModel || json.Unmarshal(e.Result, &images) != nil {
		return plain.Text(shortened(strings.TrimSpace(string(e.Payload) + " " + string(e.Result))))
	}
	columns := maps.Clone(images.Old)
	if columns == nil {
		columns = map[string]json.RawMessage{}
	}
	maps.Copy(columns, images.New)
	var parts []string
	for _, column := range slices.Sorted(maps.Keys(columns)) {
		before, had := images.Old[column]
		after, has := images.New[column]
		text := shortened(string(after))
		switch {
		case had && has:
			text = shortened(string(before)) + " → " + text
		case had:
			text = shortened(string(before))
		}
		parts = append(parts, column+": "+text)
	}
	return plain.Text(strings.Join(parts, ", "))
}

func shortened(text string) string {
	characters := []rune(text)
	if len(characters) <= maxValue {
		return text
	}
	return string(characters[:maxValue-1]) + "…"
}
