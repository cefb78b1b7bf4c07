package redact

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"sync"
)

// Tagged masks, in the JSON document of a value, what the struct tags of the
// value's types hide: a field with audit:"redact" is masked, unless it is null,
// and one with audit:"-" is left out. A struct with such fields whose document
// is no object, because it encodes itself, is masked as a whole. A document in
// which nothing is hidden is returned as it is.
//
// The document must be what encoding/json makes of the value.
func Tagged(value any, document json.RawMessage) (json.RawMessage, error) {
	v := reflect.ValueOf(value)
	if !v.IsValid() || !mayHide(v.Type()) {
		return document, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.UseNumber()
	var node any
	if err := decoder.Decode(&node); err != nil {
		return nil, fmt.Errorf("redact: %w", err)
	}
	var h hider
	hidden := h.value(v, node)
	if !h.changed {
		return document, nil
	}
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(hidden); err != nil {
		return nil, fmt.Errorf("redact: %w", err)
	}
	return bytes.TrimSuffix(buffer.Bytes(), []byte("\n")), nil
}

// hider goes through a value and its document side by side.
type hider struct {
	// changed says that something was hidden.
	changed bool
}

// value returns the node, which v became, without what is hidden.
func (h *hider) value(v reflect.Value, node any) any {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	if !v.IsValid() || node == nil || !mayHide(v.Type()) {
		return node
	}
	object, isObject := node.(map[string]any)
	list, isList := node.([]any)
	switch kind := v.Kind(); {
	case kind == reflect.Struct && isObject:
		h.fields(v, object)
	case kind == reflect.Struct && hides(v.Type()):
		h.changed = true
		return Mask
	case kind == reflect.Map && isObject:
		for entry := v.MapRange(); entry.Next(); {
			if key := keyText(entry.Key()); object[key] != nil {
				object[key] = h.value(entry.Value(), object[key])
			}
		}
	case (kind == reflect.Slice || kind == reflect.Array) && isList && len(list) == v.Len():
		for i := range list {
			list[i] = h.value(v.Index(i), list[i])
		}
	}
	return node
}

func (h *hider) fields(v reflect.Value, object map[string]any) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		name, own := jsonName(field)
		switch rule := tagOf(field); {
		case !own && rule == "":
			if embedded := reflect.Indirect(v.Field(i)); embedded.IsValid() {
				h.fields(embedded, object)
			}
		case !own:
			h.embedded(v.Field(i), object, rule)
		case rule != "" && field.IsExported():
			h.key(object, name, rule)
		case field.IsExported() && object[name] != nil:
			object[name] = h.value(v.Field(i), object[name])
		}
	}
}

// embedded hides all fields of an embedded struct, which stand in the object
// of the outer one.
func (h *hider) embedded(v reflect.Value, object map[string]any, rule string) {
	if v = reflect.Indirect(v); !v.IsValid() {
		return
	}
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if name, own := jsonName(field); own {
			h.key(object, name, rule)
		} else {
			h.embedded(v.Field(i), object, rule)
		}
	}
}

// key hides one value. Null says that there is none, and stays.
func (h *hider) key(object map[string]any, name, rule string) {
	value, known := object[name]
	switch {
	case known && rule == "-":
		delete(object, name)
		h.changed = true
	case value != nil:
		object[name] = Mask
		h.changed = true
	}
}

// jsonName is the key that encoding/json gives to a field. The fields of an
// embedded struct without a name of its own stand for themselves.
func jsonName(field reflect.StructField) (name string, own bool) {
	name, _, _ = strings.Cut(field.Tag.Get("json"), ",")
	if name != "" {
		return name, true
	}
	t := field.Type
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return field.Name, !field.Anonymous || t.Kind() != reflect.Struct
}

// tagOf is what the audit tag says about the field's value: "redact", "-" or
// nothing.
func tagOf(field reflect.StructField) string {
	rule := ""
	for tag := range strings.SplitSeq(field.Tag.Get("audit"), ",") {
		switch strings.TrimSpace(tag) {
		case "-":
			return "-"
		case "redact":
			rule = "redact"
		}
	}
	return rule
}

// keyText is what encoding/json makes of the key of a map.
func keyText(key reflect.Value) string {
	if key.Kind() == reflect.String {
		return key.String()
	}
	if marshaler, ok := key.Interface().(encoding.TextMarshaler); ok {
		if text, err := marshaler.MarshalText(); err == nil {
			return string(text)
		}
	}
	return fmt.Sprint(key.Interface())
}

// hides reports whether a struct has hidden fields of its own.
func hides(t reflect.Type) bool {
	for i := range t.NumField() {
		if tagOf(t.Field(i)) != "" {
			return true
		}
	}
	return false
}

// hiding remembers the answers of mayHide.
var hiding sync.Map // of reflect.Type to bool

// mayHide reports whether a value of the type may have hidden fields anywhere
// within it. What an interface holds is not known before it is looked at.
func mayHide(t reflect.Type) bool {
	if known, ok := hiding.Load(t); ok {
		return known.(bool)
	}
	may := reaches(t, map[reflect.Type]bool{})
	hiding.Store(t, may)
	return may
}

func reaches(t reflect.Type, met map[reflect.Type]bool) bool {
	if met[t] {
		return false
	}
	met[t] = true
	switch t.Kind() {
	case reflect.Interface:
		return true
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return reaches(t.Elem(), met)
	case reflect.Struct:
		if hides(t) {
			return true
		}
		for i := range t.NumField() {
			if reaches(t.Field(i).Type, met) {
				return true
			}
		}
	}
	return false
}
