package cloudwatchtest

import (
	"cmp"
	"regexp"
	"slices"
	"sort"
	"strings"
	"time"
)

// group is a log group.
type group struct {
	name      string
	retention int // days; 0 is forever
	tags      map[string]string
	kmsKey    string
	protected bool
	streams   map[string]*stream
	// records are those of all streams; see sorted.
	records []record
	tidy    bool
}

type stream struct {
	name    string
	created int64
}

// record is a stored event.
type record struct {
	place
	stream  *stream
	message []byte
	parsed  *document
}

// place is where a record is in the order of answers.
type place struct {
	time, ingested, number int64 // milliseconds; number counts within a call
}

func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(p.time, q.time), cmp.Compare(p.ingested, q.ingested), cmp.Compare(p.number, q.number))
}

// sorted returns the records in the order of answers.
func (g *group) sorted() []record {
	if !g.tidy {
		slices.SortFunc(g.records, func(a, b record) int { return a.compare(b.place) })
		g.tidy = true
	}
	return g.records
}

// from returns the number of the first record that is not before the place.
func (g *group) from(p place) int {
	records := g.sorted()
	return sort.Search(len(records), func(i int) bool { return records[i].compare(p) >= 0 })
}

// removeStream forgets the stream and its records.
func (g *group) removeStream(name string) {
	gone := g.streams[name]
	delete(g.streams, name)
	g.records = slices.DeleteFunc(g.records, func(r record) bool { return r.stream == gone })
}

// Group is what was set for a log group.
type Group struct {
	RetentionInDays   int
	Tags              map[string]string
	KMSKey            string
	DeletionProtected bool
	// Streams are the names of its streams, sorted.
	Streams []string
}

// Group returns what was set for the log group, and whether there is one.
func (s *Server) Group(name string) (Group, bool) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	g, ok := s.groups[name]
	if !ok {
		return Group{}, false
	}
	return Group{g.retention, g.tags, g.kmsKey, g.protected, g.streamNames("")}, true
}

// Message is a stored event as the service sees it.
type Message struct {
	Stream string
	Time   time.Time
	Text   string
}

// Messages returns what the log group holds, in the order of answers, what is
// stored twice included.
func (s *Server) Messages(name string) []Message {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	var messages []Message
	if g, ok := s.groups[name]; ok {
		for _, r := range g.sorted() {
			messages = append(messages, Message{r.stream.name, time.UnixMilli(r.time), string(r.message)})
		}
	}
	return messages
}

// streamNames returns the names that start with the prefix, sorted.
func (g *group) streamNames(prefix string) []string {
	var names []string
	for name := range g.streams {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

var (
	groupName  = regexp.MustCompile(`^[.\-_/#A-Za-z0-9]{1,512}$`)
	streamName = regexp.MustCompile(`^[^:*]{1,512}$`)
)

// group returns the log group of that name.
func (s *Server) group(name string) (*group, *failure) {
	if !groupName.MatchString(name) {
		return nil, invalid("1 validation error detected: Value at 'logGroupName' failed to satisfy constraint")
	}
	g, ok := s.groups[name]
	if !ok {
		return nil, refuse("ResourceNotFoundException", "The specified log group does not exist.")
	}
	return g, nil
}
