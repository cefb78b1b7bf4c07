package repositorytest

// CaseNames are the names of all cases, as "theme/case".
func CaseNames() []string {
	var names []string
	for _, theme := range themes() {
		for _, c := range theme.cases {
			names = append(names, theme.name+"/"+c.name)
		}
	}
	return names
}

// Rules are the sentences that failures show, by case.
func Rules() map[string]string {
	rules := map[string]string{}
	for _, theme := range themes() {
		for _, c := range theme.cases {
			rules[theme.name+"/"+c.name] = c.rule
		}
	}
	return rules
}

// FullEvent is an event with every field set.
var FullEvent = full
