package cloudwatchtest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// query is a query of Logs Insights.
type query struct {
	rows  [][]resultField
	polls int
}

type resultField struct {
	Field string `json:"field"`
	Value string `json:"value"`
}

// The limits of Logs Insights, from the reference of StartQuery.
const (
	maxQueryText = 10_000
	maxQueryRows = 100_000
)

func (s *Server) startQuery(in request) (any, *failure) {
	g, problem := s.group(in.LogGroupName)
	if problem != nil {
		return nil, problem
	}
	q, err := parseQuery(in.QueryString)
	if err != nil || len(in.QueryString) > maxQueryText {
		return nil, refuse("MalformedQueryException", fmt.Sprint(err))
	}
	if in.Limit != nil {
		q.limit = *in.Limit
	}
	if in.StartTime == nil || in.EndTime == nil || *in.StartTime > *in.EndTime || q.limit < 1 || q.limit > maxQueryRows {
		return nil, invalid("1 validation error detected")
	}
	visible := s.options.Now().Add(-s.options.Delay).UnixMilli()
	records := slices.Clone(g.sorted())
	if q.descending {
		slices.Reverse(records)
	}
	found := &query{}
	for _, r := range records {
		seconds := r.time / 1000
		if seconds < *in.StartTime || seconds > *in.EndTime || s.options.Delay > 0 && r.ingested > visible || !q.matches(r) {
			continue
		}
		if found.rows = append(found.rows, q.row(r)); len(found.rows) == q.limit {
			break
		}
	}
	id := strconv.Itoa(len(s.queries) + 1)
	s.queries[id] = found
	return map[string]any{"queryId": id}, nil
}

// getQueryResults shows a query running when it is first asked for.
func (s *Server) getQueryResults(in request) (any, *failure) {
	q, ok := s.queries[in.QueryID]
	if !ok {
		return nil, refuse("ResourceNotFoundException", "The query does not exist.")
	}
	if q.polls++; q.polls == 1 {
		return map[string]any{"status": "Running", "results": []any{}}, nil
	}
	from, size := 0, maxPageEvents
	if in.NextToken != "" {
		var err error
		if from, err = strconv.Atoi(in.NextToken); err != nil || from < 0 || from > len(q.rows) {
			return nil, invalid("The specified nextToken is invalid.")
		}
	}
	if in.MaxItems != nil {
		size = *in.MaxItems
	}
	end := min(from+size, len(q.rows))
	answer := map[string]any{"status": "Complete", "results": q.rows[from:end]}
	if end < len(q.rows) {
		answer["nextToken"] = strconv.Itoa(end)
	}
	return answer, nil
}

// insights is a query text, understood.
type insights struct {
	fields     []field
	conditions []func(record) bool
	descending bool
	limit      int
}

// field is a column of the result: a value of the event, under a name.
type field struct{ expression, name string }

func (q insights) matches(r record) bool {
	for _, holds := range q.conditions {
		if !holds(r) {
			return false
		}
	}
	return true
}

func (q insights) row(r record) []resultField {
	row := make([]resultField, 0, len(q.fields)+1)
	for _, f := range q.fields {
		value, _ := evaluate(f.expression, r)
		row = append(row, resultField{f.name, value})
	}
	return append(row, resultField{"@ptr", r.id()})
}

// evaluate returns the value of an expression.
func evaluate(expression string, r record) (string, bool) {
	switch expression {
	case "toMillis(@timestamp)":
		return strconv.FormatInt(r.time, 10), true
	case "toMillis(@ingestionTime)":
		return strconv.FormatInt(r.ingested, 10), true
	case "@logStream":
		return r.stream.name, true
	case "@message":
		return string(r.message), true
	}
	return "", false
}

func parseQuery(text string) (q insights, err error) {
	q.limit = maxPageEvents
	for _, command := range splitOutside(text, "|") {
		verb, rest, _ := strings.Cut(command, " ")
		switch verb {
		case "fields":
			err = q.parseFields(rest)
		case "filter":
			err = q.parseFilter(rest)
		case "sort":
			q.descending = strings.Contains(rest, " desc")
		case "limit":
			q.limit, err = strconv.Atoi(rest)
		default:
			err = fmt.Errorf("unexpected symbol %q", verb)
		}
		if err != nil {
			return q, err
		}
	}
	return q, nil
}

func (q *insights) parseFields(text string) error {
	for _, one := range splitOutside(text, ",") {
		expression, name, named := strings.Cut(one, " as ")
		if !named {
			name = expression
		}
		if _, known := evaluate(expression, record{stream: &stream{}}); !known {
			return fmt.Errorf("unknown field %q", expression)
		}
		q.fields = append(q.fields, field{expression, name})
	}
	return nil
}

func (q *insights) parseFilter(text string) error {
	for _, one := range splitOutside(text, " and ") {
		words := splitOutside(one, " ")
		if len(words) != 3 {
			return fmt.Errorf("unexpected condition %q", one)
		}
		expression, operator, value := words[0], words[1], words[2]
		if _, known := evaluate(expression, record{stream: &stream{}}); !known {
			return fmt.Errorf("unknown field %q", expression)
		}
		quoted := len(value) > 1 && value[0] == '\'' && value[len(value)-1] == '\''
		number, err := strconv.ParseFloat(value, 64)
		switch {
		case operator == "like" && quoted:
			part := value[1 : len(value)-1]
			q.conditions = append(q.conditions, func(r record) bool {
				have, _ := evaluate(expression, r)
				return strings.Contains(have, part)
			})
		case slices.Contains([]string{"=", "!=", "<", "<=", ">", ">="}, operator) && err == nil:
			q.conditions = append(q.conditions, func(r record) bool {
				have, _ := evaluate(expression, r)
				is, err := strconv.ParseFloat(have, 64)
				return err == nil && holds(operator, is-number)
			})
		default:
			return fmt.Errorf("unexpected condition %q", one)
		}
	}
	return nil
}

// splitOutside cuts the text at the separators that are not within single
// quotes.
func splitOutside(text, separator string) (parts []string) {
	within, start := false, 0
	for i := range len(text) {
		if text[i] == '\'' {
			within = !within
		}
		if !within && i >= start && strings.HasPrefix(text[i:], separator) {
			parts = append(parts, strings.TrimSpace(text[start:i]))
			start = i + len(separator)
		}
	}
	return append(parts, strings.TrimSpace(text[start:]))
}
