package eventaudit_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// snippetImports are what the snippets in the documentation may use, by the
// name they use it under.
var snippetImports = map[string]string{
	"fmt": "fmt", "gorm": "gorm.io/gorm", "eventaudit": module,
	"event": module + "/event", "migrate": module + "/migrate", "config": module + "/config",
	"repository": module + "/repository", "sqlrepo": module + "/repository/sqlrepo", "redisrepo": module + "/repository/redisrepo",
	"cloudwatchrepo": module + "/repository/cloudwatchrepo", "cloudwatchtest": module + "/repository/cloudwatchrepo/cloudwatchtest",
	"awsconfig": "github.com/aws/aws-sdk-go-v2/config", "cloudwatchlogs": "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs",
	"outbox": module + "/outbox", "pgpipe": module + "/pgpipe", "otelaudit": module + "/otelaudit", "otel": "go.opentelemetry.io/otel",
	"redis": "github.com/redis/go-redis/v9", "time": "time", "os": "os", "errors": "errors", "strconv": "strconv",
	"http": "net/http", "netip": "net/netip", "actions": module + "/actions", "middleware": module + "/middleware",
	"history": module + "/history", "admin": module + "/admin", "export": module + "/export", "xlsx": module + "/export/xlsx",
}

var goBlock = regexp.MustCompile("(?s)```go\n(.*?)```")

// Every Go snippet in the documentation compiles.
func TestSnippetsCompile(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	overlay := map[string]string{}
	var packages []string
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range append(pages, "README.md", "CONTRIBUTING.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for n, block := range goBlock.FindAllStringSubmatch(string(text), -1) {
			name := fmt.Sprintf("snippet%s%d", regexp.MustCompile(`\W`).ReplaceAllString(page, ""), n)
			file := filepath.Join(t.TempDir(), "snippet.go")
			if err := os.WriteFile(file, []byte(wrap(block[1])), 0o600); err != nil {
				t.Fatal(err)
			}
			overlay[filepath.Join(root, "internal", name, "snippet.go")] = file
			packages = append(packages, "./internal/"+name)
		}
	}
	if len(packages) < 4 {
		t.Fatalf("only %d snippets were found", len(packages))
	}
	replace, err := json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(t.TempDir(), "overlay.json")
	if err := os.WriteFile(list, replace, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", append([]string{"build", "-overlay", list}, packages...)...).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// wrap makes a file of a snippet: a whole file is one already, a few lines
// become the body of a function that has the usual things at hand.
func wrap(snippet string) string {
	if strings.HasPrefix(snippet, "package ") {
		return snippet
	}
	var file strings.Builder
	file.WriteString("package snippet\n\nimport (\n\t\"context\"\n")
	for name, path := range snippetImports {
		if name == "gorm" || regexp.MustCompile(`\b`+name+`\.`).MatchString(snippet) {
			fmt.Fprintf(&file, "\t%s %q\n", name, path)
		}
	}
	auditor := "audit *eventaudit.Auditor"
	if strings.Contains(snippet, "audit :=") {
		auditor = "_ int"
	} else if !strings.Contains(snippet, "eventaudit.") {
		fmt.Fprintf(&file, "\t%q\n", module)
	}
	file.WriteString(")\n\ntype Order struct{ ID uint }\n\n")
	fmt.Fprintf(&file, "func _(ctx context.Context, db *gorm.DB, order Order, %s) error {\n%s\n", auditor, snippet)
	if strings.Contains(snippet, "err := db.Use(eventaudit.Plugin())\n") {
		file.WriteString("return err\n}\n")
	} else if !strings.Contains(snippet, "\nreturn ") {
		file.WriteString("return nil\n}\n")
	} else {
		file.WriteString("}\n")
	}
	return file.String()
}
