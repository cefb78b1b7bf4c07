// Package config reads an eventaudit.Config from a YAML file or from the
// environment:
//
//	cfg, err := config.Load("app.yml")
//	if err != nil {
//		return err // every wrong setting at once, secrets masked
//	}
//	err = db.Use(eventaudit.Plugin(eventaudit.WithConfig(cfg)))
//
// In a file the keys live below event_audit, nested or dotted:
//
//	event_audit:
//	  active_repo: redis
//	  redis.url: redis://localhost:6379
//	  batch: {size: 100, timeout: 500ms}
//
// In the environment their names are upper case, with underscores for dots:
// EVENT_AUDIT_BATCH_SIZE=100. EVENT_AUDIT_TRACK_MODELS stands for two keys: a
// boolean (true, false, 1, 0) sets track_models, anything else track.models.
//
// Lists are YAML lists, or text with commas or spaces between the names; a
// comma alone is a list without names. What is not set keeps its default, see
// [eventaudit.DefaultConfig]. Empty text counts as not set, so that a forgotten
// value never switches a rule off.
package config

import (
	"errors"
	"fmt"
	"os"
	"regexp"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"

	"github.com/eventaudit/eventaudit"
)

// Load reads the YAML file at path. The error joins a *event.FieldError, which
// wraps event.ErrInvalid, for every key that is unknown, has a wrong type or
// breaks a rule of [eventaudit.Config.Validate]; it wraps fs.ErrNotExist when
// there is no such file. Other keys at the top of the file are left alone.
func Load(path string) (eventaudit.Config, error) {
	content, err := file.Provider(path).ReadBytes()
	if err != nil {
		return eventaudit.Config{}, fmt.Errorf("config: %w", err)
	}
	return parse(path, content)
}

func parse(path string, content []byte) (eventaudit.Config, error) {
	k := koanf.New(".")
	if err := k.Load(rawBytes(content), yaml.Parser()); err != nil {
		return eventaudit.Config{}, fmt.Errorf("config: %s %s", path, notYAML(err))
	}
	var f found
	f.walkFile(k.Raw())
	return f.config(path)
}

// rawBytes is a koanf provider of what was read already.
type rawBytes []byte

// ReadBytes returns the bytes.
func (b rawBytes) ReadBytes() ([]byte, error) { return b, nil }

// Read is for providers that need no parser.
func (b rawBytes) Read() (map[string]any, error) { return nil, errors.ErrUnsupported }

// notYAML says where the file cannot be read. The parser's own words may quote
// a secret and are left out.
func notYAML(err error) string {
	where := regexp.MustCompile(`line \d+`).FindString(err.Error())
	if where == "" {
		return "is not a YAML mapping; write event_audit: with the settings below it"
	}
	return fmt.Sprintf("cannot be read as YAML near %s; check indentation, and put values with special characters in quotes", where)
}

// FromEnv reads the variables that begin with EVENT_AUDIT_, except those for
// the tests of this module (EVENT_AUDIT_TEST_). The error is like that of
// [Load].
func FromEnv() (eventaudit.Config, error) { return fromEnviron(os.Environ) }

func fromEnviron(environ func() []string) (eventaudit.Config, error) {
	k := koanf.New(".")
	if err := k.Load(env.Provider("", env.Opt{Prefix: variablePrefix, EnvironFunc: environ}), nil); err != nil {
		return eventaudit.Config{}, fmt.Errorf("config: environment: %w", err)
	}
	var f found
	f.readVariables(k.Raw())
	return f.config("environment")
}
