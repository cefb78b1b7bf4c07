package memrepo_test

import (
	"testing"

	"github.com/eventaudit/eventaudit/repository"
	"github.com/eventaudit/eventaudit/repository/memrepo"
	"github.com/eventaudit/eventaudit/repository/repositorytest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	repositorytest.Run(t, func(*testing.T) repository.Repository { return memrepo.New(nil) })
}
