package event

import (
	"bytes"
	"encoding/json"
)

// JSON encodes v for Event.Payload or Event.Result. A value that JSON cannot
// hold yields bytes that are not JSON and say why; recording the event then
// fails with that reason, so the mistake is never stored and never silent.
func JSON(v any) json.RawMessage {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return json.RawMessage("!" + err.Error())
	}
	return json.RawMessage(bytes.TrimSuffix(buffer.Bytes(), []byte("\n")))
}
