package cli

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func newVersion(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version and the commit", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			info, ok := debug.ReadBuildInfo()
			if !ok {
				return fmt.Errorf("this program was built without its version; build it with the go command")
			}
			_, err := fmt.Fprintln(a.streams.Out, versionOf(info))
			return err
		},
	}
}

// versionOf is one line: the version of the module, the commit where it is
// known, and the Go version.
func versionOf(info *debug.BuildInfo) string {
	commit := "unknown commit"
	for _, setting := range info.Settings {
		switch {
		case setting.Key == "vcs.revision":
			commit = setting.Value
		case setting.Key == "vcs.modified" && setting.Value == "true":
			commit += " with changes"
		}
	}
	return fmt.Sprintf("eventaudit %s, %s, %s", info.Main.Version, commit, info.GoVersion)
}
