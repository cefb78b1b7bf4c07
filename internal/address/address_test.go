package address_test

import (
	"testing"

	"github.com/eventaudit/eventaudit/internal/address"
)

func TestMasked(t *testing.T) {
	t.Parallel()
	for urls, want := range map[string]string{
		"":                         "",
		"redis://localhost":        "redis://localhost",
		"redis://localhost:6379/2": "redis://localhost:6379/2",
		"redis://localhost:6379/":  "redis://localhost:6379/",
		"redis://localhost:1,":     "redis://localhost:1,",
		"rediss://[::1]:6379":      "rediss://[::1]:6379",
		"redis://:secret@db_1.example:6379/0?password=secret":      "redis://***@db_1.example:6379/0?***",
		"redis://me:secret%40%2F@one:1, redis://me:secret@two:2/0": "redis://***@one:1,redis://***@two:2/0",
		"https://logs.example?secret":                              "https://logs.example?***",
	} {
		if got := address.Masked(urls); got != want {
			t.Errorf("Masked(%q) = %q, want %q", urls, got, want)
		}
	}
}

// Nothing is shown where it is not certain what is the login.
func TestMaskedIsCareful(t *testing.T) {
	t.Parallel()
	for _, urls := range []string{
		"secret", "secret@localhost", "localhost:6379?password=secret", "redis:secret@localhost", "secret://localhost", "redis://",
		"redis://:/secret@localhost:6379/0", "redis://:?secret@localhost:6379/0", "redis://:#secret@localhost:6379/0",
		"redis://:12/secret@localhost:6379/0", "redis://me:12/secret@localhost", "redis://me:12?secret@localhost", "redis://me:12#secret",
		"redis://me:12,secret@localhost:6379", "redis://me:12,34@localhost", "redis://one,secret", "redis://me:pass@secret@localhost",
		"redis://me:pass@secret/word@localhost", "redis://me:pass@host/secret", "redis://:12/0", "redis:///secret", "unix://me:secret@/run/redis",
		"redis://us%er:secret@localhost", "redis://me:sec ret@localhost", "https://localhost/secret",
		"redis://localhost?mail=secret@localhost",
	} {
		if got := address.Masked(urls); got != address.Mask {
			t.Errorf("Masked(%q) = %q, want %q", urls, got, address.Mask)
		}
	}
}
