package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/eventaudit/eventaudit/event"
)

// printTrail prints one line for each event.
func printTrail(to io.Writer, events []event.Event) error {
	var lines strings.Builder
	lines.WriteString("WHEN\tWHO\tWHAT\tWHICH\tVALUES\n")
	for _, e := range events {
		values, err := differences(e)
		if err != nil {
			return err
		}
		fmt.Fprintf(&lines, "%s\t%s\t%s\t%s %s\t%s\n", e.Timestamp.Format("15:04:05.000"), e.Actor, e.Action,
			e.ActionObject, e.ActionObjectID, shorten(strings.Join(values, ", "), 68))
	}
	table := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	if _, err := io.WriteString(table, lines.String()); err != nil {
		return err
	}
	return table.Flush()
}

// printHistory prints the life of one record, field by field.
func printHistory(to io.Writer, record string, events []event.Event) error {
	var lines strings.Builder
	fmt.Fprintf(&lines, "\nHistory of %s\n", record)
	for _, e := range events {
		fmt.Fprintf(&lines, "  %s by %s", e.Action, e.Actor)
		if e.Reason != "" {
			fmt.Fprintf(&lines, ", because: %s", e.Reason)
		}
		lines.WriteByte('\n')
		values, err := differences(e)
		if err != nil {
			return err
		}
		for _, value := range values {
			fmt.Fprintf(&lines, "    %s\n", value)
		}
	}
	_, err := io.WriteString(to, lines.String())
	return err
}

// differences lists what an event says of each column: old → new for changed
// ones, the value for others.
func differences(e event.Event) ([]string, error) {
	var result struct{ Old, New map[string]json.RawMessage }
	if err := json.Unmarshal(e.Result, &result); err != nil {
		return nil, err
	}
	row := result.New
	if e.Action == event.ActionDeleted && len(result.New) == 0 {
		row = result.Old
	}
	var list []string
	for _, column := range slices.Sorted(maps.Keys(row)) {
		if old, changed := result.Old[column]; changed && result.New != nil {
			list = append(list, fmt.Sprintf("%s: %s → %s", column, old, row[column]))
		} else {
			list = append(list, fmt.Sprintf("%s: %s", column, row[column]))
		}
	}
	return list, nil
}

func shorten(text string, width int) string {
	runes := []rune(text)
	if len(runes) <= width {
		return text
	}
	return string(runes[:width-1]) + "…"
}
