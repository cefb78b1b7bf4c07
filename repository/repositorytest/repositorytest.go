// Package repositorytest is the conformance suite of repositories: what
// repository.Repository promises, as tests. A repository that passes it can be
// put under eventaudit; every repository of this module does.
//
//	func TestConformance(t *testing.T) {
//		repositorytest.Run(t, func(t *testing.T) repository.Repository {
//			return myrepo.New(t.TempDir())
//		})
//	}
//
// A repository that lacks something says so in a Features value. The suite
// never skips: what a repository lacks it must refuse with an error that wraps
// errors.ErrUnsupported, and the suite holds it to that.
package repositorytest

import (
	"testing"

	"github.com/eventaudit/eventaudit/repository"
)

// Features are the exceptions of a repository. The zero value has none.
type Features struct {
	// NoRemove says that events cannot be removed: repository.Remove answers
	// with errors.ErrUnsupported.
	NoRemove bool
	// NoRemoveAll says that the repository cannot be emptied:
	// repository.RemoveAll answers with errors.ErrUnsupported.
	NoRemoveAll bool
	// NoOffset says that Filter.Offset is refused: Find yields
	// errors.ErrUnsupported.
	NoOffset bool
	// OwnSequence says that the repository assigns Event.Sequence itself and
	// does not keep one that it is given.
	OwnSequence bool
	// LaterContents says that the repository cannot pass over another content of
	// an ID that it has. An ID still yields the content that came first, and so
	// does a list, beside which it may show the later one; what came again
	// unchanged is listed once.
	LaterContents bool
	// Eventually is for a repository whose changes show only after a while:
	// it calls check until it returns nil, and fails the test when it gives
	// up. The suite calls it after every write and removal. Nil means that
	// changes show at once, and holds the repository to that.
	Eventually func(t testing.TB, check func() error)
}

// Run checks the contract against repositories that open returns. Each case
// opens its own, which must be empty; open is called by several tests at the
// same time and registers what is to be closed with t.Cleanup. Pass Features
// for a repository that has exceptions, nothing for a full one.
//
// Run returns when every case has finished. Random cases log their seed when
// they fail; set EVENT_AUDIT_TEST_SEED to it to see the same values again.
func Run(t *testing.T, open func(t *testing.T) repository.Repository, features ...Features) {
	t.Helper()
	var exceptions Features
	switch len(features) {
	case 0:
	case 1:
		exceptions = features[0]
	default:
		t.Fatalf("repositorytest: %d Features given; pass one value that holds all exceptions", len(features))
	}
	for _, theme := range themes() {
		t.Run(theme.name, func(t *testing.T) {
			for _, c := range theme.cases {
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					t.Cleanup(func() {
						if t.Failed() {
							t.Logf("the rule: %s", c.rule)
						}
					})
					c.check(t, &store{repo: open(t), features: exceptions})
				})
			}
		})
	}
}

// theme is a group of cases that belong together.
type theme struct {
	name  string
	cases []testCase
}

// testCase checks one rule against an empty repository.
type testCase struct {
	name string
	// rule is the sentence that a failure shows.
	rule  string
	check func(t *testing.T, s *store)
}

func themes() []theme {
	return []theme{
		{"write", writeCases()},
		{"documents", documentCases()},
		{"timestamps", timestampCases()},
		{"idempotency", idempotencyCases()},
		{"invalid", invalidCases()},
		{"filter", filterCases()},
		{"values", valueCases()},
		{"random", randomCases()},
		{"order", orderCases()},
		{"cursor", cursorCases()},
		{"find", findCases()},
		{"context", contextCases()},
		{"concurrency", concurrencyCases()},
		{"powers", powerCases()},
		{"overview", overviewCases()},
		{"remove", removeCases()},
	}
}
