package repositorytest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/eventaudit/eventaudit/event"
)

func documentCases() []testCase {
	return []testCase{
		{
			"any_json", "Payload and Result come back as the same JSON, whatever they hold; no document comes back as none.", anyJSON,
		},
		{
			"digits", "Numbers in documents come back digit for digit; none passes through a float.", digits,
		},
		{
			"large", "Documents of hundreds of kilobytes come back whole.", largeDocuments,
		},
	}
}

func anyJSON(t *testing.T, s *store) {
	s.expectAll(t, s.write(t, withDocuments(
		"", `null`, `true`, `false`, `0`, `""`, `"text"`, `[]`, `{}`, `[null]`, `{"":null}`,
		`{"old":{"name":"a"},"new":{"name":"b"}}`,
		`{"nul":"\u0000","pair":"\ud83d\ude00","lone":"\ud800","html":"<b>&amp;</b>","lines":"\u2028\u2029"}`,
		`{"quotes":"\" ' `+"`"+` \\ \/","control":"\b\f\n\r\t\u001f"}`,
		`{"$type":"x","a.b":1,"a[0]":2,"%s":3,"?":4,":name":5,"@p1":6,"{}":7}`,
		`{"é":"e\u0301","ключ":"значение","漢字":"かな","rtl":"\u202eabc"}`,
		`[[[[[[[[[[[[[[[[{"deep":[{"deeper":{}}]}]]]]]]]]]]]]]]]]`,
	)...))
}

func digits(t *testing.T, s *store) {
	s.expectAll(t, s.write(t, withDocuments(
		`12345678901234567890.12345`,
		`{"int64":9223372036854775807,"uint64":18446744073709551615,"beyond":340282366920938463463374607431768211456}`,
		`{"cents":0.10,"tiny":0.000000000000000000000000000001,"third":0.3333333333333333333333333333333333}`,
		`[9007199254740993,-9007199254740993,1.0,100.00]`,
	)...))
}

func largeDocuments(t *testing.T, s *store) {
	var documents []string
	for _, size := range []int{64 << 10, 64<<10 + 1, 256 << 10} {
		text := bytes.Repeat([]byte("audit trail "), size/12+1)[:size]
		documents = append(documents, `{"text":"`+string(text)+`"}`)
	}
	s.expectAll(t, s.write(t, withDocuments(documents...)...))
}

// withDocuments returns two events for each document, one with it as payload
// and one with it as result.
func withDocuments(documents ...string) []event.Event {
	var events []event.Event
	for i, document := range documents {
		asPayload := plain(fmt.Sprintf("payload-%02d", i))
		asPayload.Payload = json.RawMessage(document)
		asResult := plain(fmt.Sprintf("result-%02d", i))
		asResult.Result = json.RawMessage(document)
		events = append(events, asPayload, asResult)
	}
	return events
}
