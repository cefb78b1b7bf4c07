package cloudwatchtest

import (
	"encoding/json"
	"strings"
)

// lookUp returns what the path leads to in the document.
func lookUp(document any, path []any) (value any, exists bool) {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			object, ok := document.(map[string]any)
			if !ok {
				return nil, false
			}
			if document, ok = object[step]; !ok {
				return nil, false
			}
		case int:
			list, ok := document.([]any)
			if !ok || step < 0 || step >= len(list) {
				return nil, false
			}
			document = list[step]
		}
	}
	return document, true
}

// comparing returns the comparison of a value with the operand. Only scalars
// compare; numbers do by size, also with strings that look like one.
func comparing(operator string, with operand) func(value any) bool {
	return func(value any) bool {
		if number, ok := numberOf(value); ok && with.isNumber {
			return holds(operator, number-with.number)
		}
		text, ok := value.(string)
		if n, isNumber := value.(json.Number); isNumber {
			text, ok = n.String(), true
		}
		switch operator {
		case "=":
			return ok && wild(text, with.parts)
		case "!=":
			return ok && !wild(text, with.parts)
		}
		return false
	}
}

func numberOf(value any) (float64, bool) {
	switch value := value.(type) {
	case json.Number:
		number, err := value.Float64()
		return number, err == nil
	case string:
		number, err := json.Number(value).Float64()
		return number, err == nil
	}
	return 0, false
}

func holds(operator string, difference float64) bool {
	switch operator {
	case "=":
		return difference == 0
	case "!=":
		return difference != 0
	case "<":
		return difference < 0
	case "<=":
		return difference <= 0
	case ">":
		return difference > 0
	default:
		return difference >= 0
	}
}

// wild reports whether the text consists of the parts, with anything between
// them.
func wild(text string, parts []string) bool {
	if len(parts) == 1 {
		return text == parts[0]
	}
	first, last := parts[0], parts[len(parts)-1]
	text, ok := strings.CutPrefix(text, first)
	if !ok {
		return false
	}
	if text, ok = strings.CutSuffix(text, last); !ok {
		return false
	}
	for _, part := range parts[1 : len(parts)-1] {
		at := strings.Index(text, part)
		if at < 0 {
			return false
		}
		text = text[at+len(part):]
	}
	return true
}
