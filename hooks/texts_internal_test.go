package hooks

import (
	"strconv"
	"strings"
	"testing"
)

func TestTextsAreFew(t *testing.T) {
	t.Parallel()
	var kept texts
	for i := range 3 * maxTexts {
		text := strconv.Itoa(i)
		kept.put(asked{text: text, rows: true}, "other "+text)
		if _, ok := kept.get(asked{text: text}); ok {
			t.Errorf("%s is known without rows", text)
		}
		if other, ok := kept.get(asked{text: text, rows: true}); !ok || other != "other "+text {
			t.Errorf("%s became %q", text, other)
		}
		if len(kept.known) > maxTexts {
			t.Fatalf("%d texts are kept", len(kept.known))
		}
	}
	long := strings.Repeat("x", longText+1)
	kept.put(asked{text: long}, "other")
	if _, ok := kept.get(asked{text: long}); ok {
		t.Error("a long text is kept")
	}
}

func TestReadsOthers(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]bool{
		`INSERT INTO "a" ("n") VALUES ($1) RETURNING "id"`:                       false,
		`UPDATE "a" SET "n"=$1 WHERE "id" = $2`:                                  false,
		`DELETE FROM "a" WHERE "a"."id" = $1`:                                    false,
		`UPDATE "a" SET "n"=(Select count(*) FROM b)`:                            true,
		`UPDATE "a" SET "n"=b.n FROM b WHERE a.id = b.id`:                        true,
		`DELETE FROM "a" USING b WHERE a.id = b.id`:                              true,
		`UPDATE "a" SET "n"=1 WHERE EXISTS (TABLE b)`:                            true,
		`DELETE FROM "a" WHERE id IN (SELECT id from b)`:                         true,
		`INSERT INTO "a" ("n") VALUES (` + strings.Repeat("$1,", longText) + `)`: true,
	} {
		if got := readsOthers(query); got != want {
			t.Errorf("%.60s: %v, want %v", query, got, want)
		}
	}
}
