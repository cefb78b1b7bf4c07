package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/eventaudit/eventaudit"
)

// field moves values between a Config and the text or YAML of a setting.
type field struct {
	// set stores the value, or returns why it cannot.
	set func(c *eventaudit.Config, value any) (problem string)
	// get returns the value as a user would write it.
	get func(c eventaudit.Config) string
}

// newField puts a field together from the place of the value in the Config and
// its two translations.
func newField[T any](place func(*eventaudit.Config) *T, parse func(any) (T, string), show func(T) string) field {
	return field{
		set: func(c *eventaudit.Config, value any) string {
			parsed, problem := parse(value)
			if problem == "" {
				*place(c) = parsed
			}
			return problem
		},
		get: func(c eventaudit.Config) string { return show(*place(&c)) },
	}
}

func text[T ~string](place func(*eventaudit.Config) *T) field {
	parse := func(value any) (T, string) {
		if text, ok := value.(string); ok {
			return T(text), ""
		}
		return "", "is not text; put it in quotes"
	}
	return newField(place, parse, func(v T) string { return string(v) })
}

func list(place func(*eventaudit.Config) *[]string) field {
	parse := func(value any) ([]string, string) {
		switch value := value.(type) {
		case string:
			return strings.FieldsFunc(value, func(r rune) bool { return r == ',' || unicode.IsSpace(r) }), ""
		case []any:
			names := make([]string, 0, len(value))
			for _, element := range value {
				name, ok := element.(string)
				if !ok {
					return nil, "has an element that is not text; put every name in quotes"
				}
				names = append(names, name)
			}
			return names, ""
		default:
			return nil, "is not a list; write [first, second], or text with commas between the names"
		}
	}
	return newField(place, parse, func(v []string) string { return strings.Join(v, " ") })
}

func boolean(place func(*eventaudit.Config) *bool) field {
	return newField(place, parseBool, strconv.FormatBool)
}

func parseBool(value any) (result bool, problem string) {
	if value, ok := value.(bool); ok {
		return value, ""
	}
	if text, ok := value.(string); ok && isBoolean(text) {
		return slices.Contains([]string{"true", "1"}, strings.ToLower(text)), ""
	}
	return false, "is not a boolean; write true or false"
}

// isBoolean is narrower than strconv.ParseBool, so that a model may be called
// T.
func isBoolean(text string) bool {
	return slices.Contains([]string{"true", "false", "1", "0"}, strings.ToLower(text))
}

// previousState takes booleans too.
func previousState(place func(*eventaudit.Config) *eventaudit.PreviousState) field {
	words := text(place)
	return field{get: words.get, set: func(c *eventaudit.Config, value any) string {
		switch on, problem := parseBool(value); {
		case problem != "":
			return words.set(c, value)
		case on:
			*place(c) = eventaudit.StateFull
		default:
			*place(c) = eventaudit.StateOff
		}
		return ""
	}}
}

func number(place func(*eventaudit.Config) *int) field {
	parse := func(value any) (int, string) {
		switch value := value.(type) {
		case int:
			return value, ""
		case string:
			if n, err := strconv.Atoi(value); err == nil {
				return n, ""
			}
		}
		return 0, "is not a whole number, or too large; write digits only"
	}
	return newField(place, parse, strconv.Itoa)
}

func duration(place func(*eventaudit.Config) *time.Duration) field {
	parse := func(value any) (time.Duration, string) {
		if d, err := time.ParseDuration(fmt.Sprint(value)); err == nil {
			return d, ""
		}
		return 0, "is not a duration; write a number with its unit, for example 500ms or 1s"
	}
	return newField(place, parse, time.Duration.String)
}
