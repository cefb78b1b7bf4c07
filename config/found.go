package config

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/eventaudit/eventaudit"
	"github.com/eventaudit/eventaudit/event"
)

// found is what a file or the environment holds. The zero value is empty.
type found struct {
	values   []value
	problems []error
}

// value is one for a known setting.
type value struct {
	setting setting
	spelled string // as the user spells the key
	raw     any
}

const fileSection = "event_audit"

// walkFile takes what is below event_audit and leaves the rest of the file
// alone.
func (f *found) walkFile(file map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(file)) {
		if name == fileSection || strings.HasPrefix(name, fileSection+".") {
			f.walk(name, file[name])
		}
	}
}

// walk descends into sections. It stops at settings, so that the parts of a
// secret that looks like a mapping are not taken for keys.
func (f *found) walk(path string, raw any) {
	key := strings.TrimPrefix(path, fileSection+".")
	s, known := lookUp(key)
	section, isMap := raw.(map[string]any)
	switch {
	case (raw == nil || raw == "") && (known || path == fileSection || isSection(key)): // nothing set
	case known:
		f.add(s, path, raw)
	case path != fileSection && !isSection(key):
		f.unknown(path, fileKeys())
	case isMap:
		for _, name := range slices.Sorted(maps.Keys(section)) {
			f.walk(path+"."+name, section[name])
		}
	default:
		f.problem(path, "***", "is a section of settings; write the settings below it, one per line")
	}
}

// readVariables takes the variables with our prefix.
func (f *found) readVariables(variables map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		if strings.HasPrefix(name, variablePrefix+"TEST_") {
			continue
		}
		text := fmt.Sprint(variables[name])
		s, known := lookUpVariable(name, text)
		switch {
		case !known:
			f.unknown(name, variableNames())
		case text != "":
			f.add(s, name, text)
		}
	}
}

// lookUpVariable finds the setting of the variable. Where one name stands for
// a switch and for a list, the value tells which is meant.
func lookUpVariable(name, text string) (setting, bool) {
	if name == variablePrefix+"TRACK_MODELS" {
		if isBoolean(text) {
			return lookUp("track_models")
		}
		return lookUp("track.models")
	}
	all := settings()
	i := slices.IndexFunc(all, func(s setting) bool { return s.variable() == name })
	if i < 0 {
		return setting{}, false
	}
	return all[i], true
}

func (f *found) add(s setting, spelled string, raw any) {
	if slices.ContainsFunc(f.values, func(v value) bool { return v.setting.key == s.key }) {
		f.problem(spelled, "***", "is set twice, nested and with dots; remove one of the two")
		return
	}
	f.values = append(f.values, value{s, spelled, raw})
}

// unknown reports a key without its value, and only as far as it is spelled
// like a key: a secret in the wrong place would be taken for one.
func (f *found) unknown(spelled string, known []string) {
	if likeAKey := regexp.MustCompile(`^[\w.-]*`).FindString(spelled); likeAKey != spelled {
		spelled = likeAKey + "***"
	}
	f.problem(spelled, "***", fmt.Sprintf("is not a known setting; did you mean %s?", nearest(spelled, known)))
}

func (f *found) problem(spelled string, value any, reason string) {
	f.problems = append(f.problems, &event.FieldError{Field: spelled, Value: value, Reason: reason})
}

// config applies the values to the defaults.
func (f *found) config(source string) (eventaudit.Config, error) {
	c := eventaudit.DefaultConfig()
	for _, v := range f.values {
		if reason := v.setting.set(&c, v.raw); reason != "" {
			f.problem(v.spelled, v.shown(), reason)
		}
	}
	if err := errors.Join(append(f.problems, c.Validate())...); err != nil {
		return eventaudit.Config{}, fmt.Errorf("config: %s: %w", source, err)
	}
	return c, nil
}

// shown is the value as errors may show it: a secret not at all, and a URL in
// the wrong place without its password.
func (v value) shown() any {
	if v.setting.secret {
		return "***"
	}
	return regexp.MustCompile(`://\S*@`).ReplaceAllString(fmt.Sprint(v.raw), "://***@")
}
