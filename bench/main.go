// Bench measures what auditing costs: the same operations through plain GORM and
// through several ways of auditing, in turns within one process, so that only
// ratios count and a busy machine is busy for all.
//
//	go run . [-only postgres] [-rounds 60]
//
// PostgreSQL and MariaDB are reached as in the tests, by EVENT_AUDIT_TEST_POSTGRES
// and EVENT_AUDIT_TEST_MYSQL; make bench sets them. The goals are in goals.json.
// The exit code is 1 when a goal is missed by more than 15 per cent.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
)

func main() {
	only := flag.String("only", "", "measure the settings whose names begin with this")
	rounds := flag.Int("rounds", 60, "how often each operation is measured; large ones a quarter as often")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	missed, err := run(ctx, *only, *rounds)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
	}
	if err != nil || missed > 0 {
		os.Exit(1)
	}
}

// run measures all settings and returns how many goals are missed.
func run(ctx context.Context, only string, rounds int) (missed int, err error) {
	goals, err := readGoals()
	if err != nil {
		return 0, err
	}
	fmt.Printf("%s, %s/%s, %d CPUs\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	for _, s := range settings() {
		if !strings.HasPrefix(s.name, only) {
			continue
		}
		table, err := s.measure(ctx, rounds)
		if err != nil {
			return missed, fmt.Errorf("%s: %w", s.name, err)
		}
		table.print(os.Stdout)
		missed += table.judge(os.Stdout, goals)
	}
	return missed, nil
}
