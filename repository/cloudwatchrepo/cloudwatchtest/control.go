package cloudwatchtest

import (
	"maps"
	"slices"
	"strings"
)

// nothing is the answer of operations that have none.
var nothing = struct{}{}

// maxTags is how many tags a log group may have.
const maxTags = 50

func (s *Server) createLogGroup(in request) (any, *failure) {
	switch _, err := s.group(in.LogGroupName); {
	case err == nil:
		return nil, refuse("ResourceAlreadyExistsException", "The specified log group already exists")
	case err.code != "ResourceNotFoundException":
		return nil, err
	case len(in.Tags) > maxTags:
		return nil, invalid("too many tags")
	}
	s.groups[in.LogGroupName] = &group{
		name: in.LogGroupName, tags: in.Tags, kmsKey: in.KmsKeyID,
		protected: in.DeletionProtectionEnabled, streams: map[string]*stream{},
	}
	return nothing, nil
}

func (s *Server) deleteLogGroup(in request) (any, *failure) {
	g, err := s.group(in.LogGroupName)
	if err != nil {
		return nil, err
	}
	if g.protected {
		return nil, protected
	}
	delete(s.groups, g.name)
	return nothing, nil
}

var protected = refuse("ValidationException", "Deletion protection is enabled for the log group.")

// retentions are the days that PutRetentionPolicy takes.
var retentions = []int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

func (s *Server) putRetentionPolicy(in request) (any, *failure) {
	g, err := s.group(in.LogGroupName)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(retentions, in.RetentionInDays) {
		return nil, invalid("1 validation error detected: Value at 'retentionInDays' failed to satisfy constraint")
	}
	g.retention = in.RetentionInDays
	return nothing, nil
}

func (s *Server) putDeletionProtection(in request) (any, *failure) {
	g, err := s.group(in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	g.protected = in.DeletionProtectionEnabled
	return nothing, nil
}

// tagResource takes an ARN, without the ":*" that policies have behind it.
func (s *Server) tagResource(in request) (any, *failure) {
	g, err := s.group(in.ResourceArn[strings.LastIndexByte(in.ResourceArn, ':')+1:])
	if err != nil {
		return nil, err
	}
	tags := map[string]string{}
	maps.Copy(tags, g.tags)
	maps.Copy(tags, in.Tags)
	if len(tags) > maxTags {
		return nil, refuse("TooManyTagsException", "too many tags")
	}
	g.tags = tags
	return nothing, nil
}

func (s *Server) createLogStream(in request) (any, *failure) {
	g, err := s.group(in.LogGroupName)
	switch {
	case err != nil:
		return nil, err
	case !streamName.MatchString(in.LogStreamName):
		return nil, invalid("1 validation error detected: Value at 'logStreamName' failed to satisfy constraint")
	case g.streams[in.LogStreamName] != nil:
		return nil, refuse("ResourceAlreadyExistsException", "The specified log stream already exists")
	}
	g.streams[in.LogStreamName] = &stream{in.LogStreamName, s.options.Now().UnixMilli()}
	return nothing, nil
}

func (s *Server) deleteLogStream(in request) (any, *failure) {
	g, err := s.group(in.LogGroupName)
	switch {
	case err != nil:
		return nil, err
	case g.protected:
		return nil, protected
	case g.streams[in.LogStreamName] == nil:
		return nil, noStream
	}
	g.removeStream(in.LogStreamName)
	return nothing, nil
}

var noStream = refuse("ResourceNotFoundException", "The specified log stream does not exist.")

func (s *Server) describeLogStreams(in request) (any, *failure) {
	g, err := s.group(in.LogGroupName)
	if err != nil {
		return nil, err
	}
	limit := 50
	if in.Limit != nil {
		limit = *in.Limit
	}
	if limit < 1 || limit > 50 {
		return nil, invalid("1 validation error detected: Value at 'limit' failed to satisfy constraint")
	}
	names := g.streamNames(in.LogStreamNamePrefix)
	from, _ := slices.BinarySearch(names, in.NextToken)
	names = names[from:]
	answer := map[string]any{}
	if len(names) > limit {
		answer["nextToken"] = names[limit]
		names = names[:limit]
	}
	streams := []any{}
	for _, name := range names {
		streams = append(streams, map[string]any{"logStreamName": name, "creationTime": g.streams[name].created})
	}
	answer["logStreams"] = streams
	return answer, nil
}
