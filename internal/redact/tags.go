package redact

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
)

// Tagged masks, in the JSON document of a value, what the struct tags of the
// value's types hide: a field with audit:"redact" is masked, unless it is null,
// and one with audit:"-" is left out. What encodes itself, so that nobody knows
// where its fields are in the document, is masked as a whole when it holds such
// a field anywhere. A document in which nothing is hidden is returned as it is.
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
	case encodesItself(v):
		return h.whole(v, node)
	case kind == reflect.Struct && isObject:
		h.fields(v, object, nil)
	case kind == reflect.Map && isObject:
		for entry := v.MapRange(); entry.Next(); {
			key := keyText(entry.Key())
			if _, known := object[key]; !known {
				return h.whole(v, node)
			}
			object[key] = h.value(entry.Value(), object[key])
		}
	case (kind == reflect.Slice || kind == reflect.Array) && isList && len(list) == v.Len():
		for i := range list {
			list[i] = h.value(v.Index(i), list[i])
		}
	default:
		return h.whole(v, node)
	}
	return node
}

// whole masks all of a value that is not written field by field, if anything in
// it is hidden.
func (h *hider) whole(v reflect.Value, node any) any {
	if !holdsHidden(v, map[visit]bool{}) {
		return node
	}
	h.changed = true
	return Mask
}

// fields hides fields of a struct. A field of an embedded struct is not in the
// object when one outside of it has taken its name.
func (h *hider) fields(v reflect.Value, object map[string]any, outer []string) {
	taken := slices.Clone(outer)
	for i := range v.NumField() {
		if name, own := jsonName(v.Type().Field(i)); own && isWritten(v.Type().Field(i)) {
			taken = append(taken, name)
		}
	}
	for i := range v.NumField() {
		field := v.Type().Field(i)
		name, own := jsonName(field)
		switch rule := tagOf(field); {
		case !own && rule == "":
			if embedded := reflect.Indirect(v.Field(i)); embedded.IsValid() {
				h.fields(embedded, object, taken)
			}
		case !own:
			h.embedded(v.Field(i), object, rule, taken)
		case !isWritten(field) || slices.Contains(outer, name):
		case rule != "":
			h.key(object, name, rule)
		case object[name] != nil:
			object[name] = h.value(v.Field(i), object[name])
		}
	}
}

// embedded hides all fields of an embedded struct, which stand in the object
// of the outer one.
func (h *hider) embedded(v reflect.Value, object map[string]any, rule string, outer []string) {
	if v = reflect.Indirect(v); !v.IsValid() {
		return
	}
	for i := range v.NumField() {
		field := v.Type().Field(i)
		switch name, own := jsonName(field); {
		case !own:
			h.embedded(v.Field(i), object, rule, outer)
		case isWritten(field) && !slices.Contains(outer, name):
			h.key(object, name, rule)
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
	if isName(name) {
		return name, true
	}
	return field.Name, !field.Anonymous || indirect(field.Type).Kind() != reflect.Struct
}

// isName reports whether encoding/json takes that for the name of a field.
func isName(name string) bool {
	const others = "!#$%&()*+-./:;<=>?@[]^_{|}~ "
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return !strings.ContainsRune(others, r) && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
}

// isWritten reports whether encoding/json writes the field: exported ones, and
// what an embedded struct of any name has.
func isWritten(field reflect.StructField) bool {
	return field.IsExported() || field.Anonymous && indirect(field.Type).Kind() == reflect.Struct
}

func indirect(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
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
	text := ""
	switch marshaler, ok := key.Interface().(encoding.TextMarshaler); {
	case key.Kind() == reflect.String:
		text = key.String()
	case ok && key.Kind() == reflect.Pointer && key.IsNil():
	case ok:
		marshaled, err := marshaler.MarshalText()
		if err != nil {
			return "" // encoding/json has failed by it
		}
		text = string(marshaled)
	case key.CanInt():
		text = strconv.FormatInt(key.Int(), 10)
	case key.CanUint():
		text = strconv.FormatUint(key.Uint(), 10)
	}
	return string([]rune(text)) // each byte that is not UTF-8 becomes U+FFFD
}

// encodesItself reports whether encoding/json asks the value for its document.
func encodesItself(v reflect.Value) bool {
	asked := func(t reflect.Type) bool {
		return t.Implements(reflect.TypeFor[json.Marshaler]()) || t.Implements(reflect.TypeFor[encoding.TextMarshaler]())
	}
	return asked(v.Type()) || v.CanAddr() && asked(reflect.PointerTo(v.Type()))
}

// visit is a pointer or map that was looked into.
type visit struct {
	at uintptr
	of reflect.Type
}

// holdsHidden reports whether a hidden field is anywhere within the value,
// which may lead back to itself.
func holdsHidden(v reflect.Value, met map[visit]bool) bool {
	if !v.IsValid() || !mayHide(v.Type()) {
		return false
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Map:
		at := visit{v.Pointer(), v.Type()}
		if v.IsNil() || met[at] {
			return false
		}
		met[at] = true
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		return holdsHidden(v.Elem(), met)
	case reflect.Struct:
		if hides(v.Type()) {
			return true
		}
		for i := range v.NumField() {
			if holdsHidden(v.Field(i), met) {
				return true
			}
		}
	case reflect.Map:
		for entry := v.MapRange(); entry.Next(); {
			if holdsHidden(entry.Value(), met) {
				return true
			}
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if holdsHidden(v.Index(i), met) {
				return true
			}
		}
	}
	return false
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
