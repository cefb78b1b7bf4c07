package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"time"
)

//go:embed goals.json
var goalsFile []byte

// goal is the ratio to plain GORM that a variant should not exceed.
type goal struct {
	Setting, Operation, Variant string
	Ratio                       float64
}

// tolerance is how far noise may lead away from a goal that counts as met.
const tolerance = 1.15

func readGoals() (goals []goal, err error) {
	err = json.Unmarshal(goalsFile, &goals)
	return goals, err
}

// print prints the ratios as a table of Markdown.
func (t *table) print(out *bytes.Buffer) {
	fmt.Fprintf(out, "\n## %s\n\n|", t.setting)
	for _, o := range t.operations {
		fmt.Fprintf(out, " | %s", o)
	}
	fmt.Fprint(out, " |\n|---")
	for range t.operations {
		fmt.Fprint(out, "|---")
	}
	fmt.Fprintln(out, "|")
	for i, v := range t.variants {
		fmt.Fprintf(out, "| %s", v)
		for _, o := range t.operations {
			c := t.cells[o][v]
			if i == 0 {
				fmt.Fprintf(out, " | %v", c.median.Round(time.Microsecond))
			} else {
				fmt.Fprintf(out, " | **%s** (%s–%s)", short(c.ratio), short(c.lowest), short(c.highest))
			}
		}
		fmt.Fprintln(out, " |")
	}
}

// short writes a ratio, a small one with more digits.
func short(ratio float64) string {
	if ratio < 0.1 {
		return fmt.Sprintf("%.4f", ratio)
	}
	return fmt.Sprintf("%.2f", ratio)
}

// judge prints the goals of the setting and returns how many are missed by more
// than the tolerance.
func (t *table) judge(out *bytes.Buffer, goals []goal) (missed int) {
	fmt.Fprint(out, "\n| operation | variant | ratio | goal | met |\n|---|---|---|---|---|\n")
	for _, g := range goals {
		c, measured := t.cells[g.Operation][g.Variant]
		if g.Setting != t.setting || !measured {
			continue
		}
		met := "yes"
		switch {
		case c.ratio > g.Ratio*tolerance:
			met = "**no**"
			missed++
		case c.ratio > g.Ratio:
			met = "within 15 %"
		}
		fmt.Fprintf(out, "| %s | %s | %s | %s | %s |\n", g.Operation, g.Variant, short(c.ratio), short(g.Ratio), met)
	}
	return missed
}
