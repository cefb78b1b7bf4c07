package eventaudit_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/eventaudit/eventaudit"

// levels places every package of the module: it imports only packages above
// it in this list, so siblings do not know each other and there are no cycles.
// Folders with a trailing slash stand for all packages in them.
var levels = [][]string{
	{"pgpipe"},
	{"event", "internal/testdb", "internal/connpool", "internal/fieldindex", "internal/plain", "internal/days", "internal/address"},
	{"internal/redact", "internal/testservers", "internal/testredis"},
	{"repository", "export", "actions", "middleware", "internal/lifeline"},
	{"internal/oracle", "internal/deed"},
	{
		"repository/memrepo", "repository/sqlrepo", "repository/redisrepo", "repository/cloudwatchrepo",
		"repository/cloudwatchrepo/cloudwatchtest", "repository/repositorytest", "outbox", "hooks", "export/xlsx",
	},
	{"migrate"},
	{""}, // the root
	{"history", "config", "admin", "otelaudit"},
	{"internal/cli"},
	{"cmd/eventaudit", "example/"},
}

func TestDependencies(t *testing.T) {
	t.Parallel()
	packages := listPackages(t)
	t.Run("packages import only lower levels", func(t *testing.T) { onlyLowerLevels(t, packages) })
	t.Run("programs link only what they use", func(t *testing.T) { onlyWhatIsUsed(t, packages) })
	t.Run("the panel needs nothing from outside", func(t *testing.T) { selfContainedPanel(t, packages) })
	t.Run("programs do not link test helpers", func(t *testing.T) { noTestHelpers(t, packages) })
}

func onlyLowerLevels(t *testing.T, packages map[string]listed) {
	t.Helper()
	for path, p := range packages {
		if !isOurs(path) {
			continue
		}
		level, known := levelOf(path)
		if !known {
			t.Errorf("%s has no level; place it in the table of this test", path)
			continue
		}
		for _, imported := range p.Imports {
			if below, known := levelOf(imported); isOurs(imported) && known && below >= level {
				t.Errorf("%s imports %s, which is not on a lower level", path, imported)
			}
		}
	}
}

// onlyWhatIsUsed holds what comes along with an import, at any depth, besides
// the standard library and this module.
func onlyWhatIsUsed(t *testing.T, packages map[string]listed) {
	t.Helper()
	ground := []string{"github.com/google/uuid"}
	gorm := append([]string{"gorm.io/gorm", "github.com/jinzhu/inflection", "github.com/jinzhu/now", "golang.org/x/text"}, ground...)
	for name, allowed := range map[string][]string{
		"event":      ground,
		"repository": ground,
		"export":     ground,
		"actions":    ground,
		"middleware": ground,
		"hooks":      gorm,
		"":           append([]string{"github.com/go-gormigrate/gormigrate/v2"}, gorm...),
		"admin":      append([]string{"github.com/go-gormigrate/gormigrate/v2"}, gorm...),

		"otelaudit": append([]string{
			"go.opentelemetry.io/otel", "go.opentelemetry.io/otel/metric", "github.com/cespare/xxhash/v2",
			"github.com/go-gormigrate/gormigrate/v2",
		}, gorm...),
		"export/xlsx": append([]string{
			"github.com/xuri/excelize/v2", "github.com/xuri/efp", "github.com/xuri/nfp", "github.com/richardlehane/mscfb",
			"github.com/richardlehane/msoleps", "github.com/tiendc/go-deepcopy", "golang.org/x/crypto", "golang.org/x/net", "golang.org/x/text",
		}, ground...),
		"repository/redisrepo": append([]string{"github.com/redis/go-redis/v9", "github.com/cespare/xxhash/v2", "go.uber.org/atomic", "golang.org/x/sys"}, ground...),
		"repository/cloudwatchrepo": append([]string{
			"github.com/aws/aws-sdk-go-v2", "github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream",
			"github.com/aws/aws-sdk-go-v2/config", "github.com/aws/aws-sdk-go-v2/credentials",
			"github.com/aws/aws-sdk-go-v2/feature/ec2/imds", "github.com/aws/aws-sdk-go-v2/internal/configsources",
			"github.com/aws/aws-sdk-go-v2/internal/endpoints/v2", "github.com/aws/aws-sdk-go-v2/internal/v4a",
			"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs", "github.com/aws/aws-sdk-go-v2/service/internal/accept-encoding",
			"github.com/aws/aws-sdk-go-v2/service/internal/presigned-url", "github.com/aws/aws-sdk-go-v2/service/signin",
			"github.com/aws/aws-sdk-go-v2/service/sso", "github.com/aws/aws-sdk-go-v2/service/ssooidc",
			"github.com/aws/aws-sdk-go-v2/service/sts", "github.com/aws/smithy-go",
		}, ground...),
	} {
		path := strings.TrimSuffix(module+"/"+name, "/")
		for linked := range closure(packages, path) {
			m := packages[linked].Module
			if m != nil && m.Path != module && !slices.Contains(allowed, m.Path) {
				t.Errorf("%s links %s; its users did not ask for that", path, linked)
			}
		}
	}
}

func selfContainedPanel(t *testing.T, packages map[string]listed) {
	t.Helper()
	for _, imported := range packages[module+"/admin"].Imports {
		if m := packages[imported].Module; m != nil && m.Path != module {
			t.Errorf("admin imports %s; it reaches events through the Auditor", imported)
		}
	}
}

func noTestHelpers(t *testing.T, packages map[string]listed) {
	t.Helper()
	for path, p := range packages {
		if !isOurs(path) || isForTests(path) {
			continue
		}
		for _, imported := range p.Imports {
			if imported == "testing" || isOurs(imported) && isForTests(imported) {
				t.Errorf("%s imports %s, which is for tests", path, imported)
			}
		}
	}
}

func isForTests(path string) bool {
	return slices.Contains([]string{
		module + "/internal/oracle",
		module + "/internal/testdb",
		module + "/internal/testredis",
		module + "/internal/testservers",
		module + "/repository/repositorytest",
	}, path)
}

// listed is what `go list` says about a package.
type listed struct {
	ImportPath string
	Imports    []string
	Module     *struct{ Path string }
}

// listPackages returns the packages of this module and all they import, by
// import path. Test files do not count.
func listPackages(t *testing.T) map[string]listed {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=ImportPath,Imports,Module", "./...").Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %v\n%s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	packages := map[string]listed{}
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		switch err := decoder.Decode(&p); {
		case errors.Is(err, io.EOF):
			return packages
		case err != nil:
			t.Fatal(err)
		}
		packages[p.ImportPath] = p
	}
}

// closure returns the package and everything it imports, at any depth.
func closure(packages map[string]listed, path string) map[string]bool {
	reached := map[string]bool{}
	for next := []string{path}; len(next) > 0; next = next[1:] {
		if !reached[next[0]] {
			reached[next[0]] = true
			next = append(next, packages[next[0]].Imports...)
		}
	}
	return reached
}

func isOurs(path string) bool { return path == module || strings.HasPrefix(path, module+"/") }

func levelOf(path string) (level int, known bool) {
	name := strings.TrimPrefix(strings.TrimPrefix(path, module), "/")
	for level, names := range levels {
		for _, n := range names {
			if n == name || strings.HasSuffix(n, "/") && strings.HasPrefix(name, n) {
				return level, true
			}
		}
	}
	return 0, false
}
