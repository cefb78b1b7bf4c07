package sqlrepo_test

import (
	"testing"

	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/repository"
	"github.com/eventaudit/eventaudit/repository/repositorytest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	for _, kind := range testdb.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			repositorytest.Run(t, func(t *testing.T) repository.Repository {
				r, _ := migrated(t, testdb.New(t, kind))
				return r
			}, repositorytest.Features{OwnSequence: true})
		})
	}
}
