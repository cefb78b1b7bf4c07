// Package cloudwatchtest is CloudWatch Logs within a process: an HTTP server
// that the client of the AWS SDK talks to as if it were the real one. It keeps
// events, evaluates filter patterns, answers Logs Insights queries, refuses
// what AWS refuses, and goes wrong on demand.
//
//	server, err := cloudwatchtest.Start(nil)
//	if err != nil { … }
//	defer server.Close()
//	events, err := cloudwatchrepo.New(server.Client(), nil)
//
// An app that opens its repository by name sets cloudwatch.endpoint to
// [Server.URL], cloudwatch.region to anything, and any key pair.
//
// # Limits
//
// Signatures are not verified, only the access key, and nobody is throttled
// unless a [Fault] says so. Of the filter patterns those for JSON are known,
// without regular expressions; of the query language fields, filter (with and,
// like and comparisons), sort by time, and limit. Retention is enforced when
// events come in, and removes none afterwards.
package cloudwatchtest

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
)

// AccessKey and SecretKey are the key pair of the clients that Server.Client
// returns. The server knows no other access key.
const (
	AccessKey = "AKIATESTSERVER"
	SecretKey = "secret-of-the-test-server"
)

// Options change how a Server works. The zero value and nil are fine.
type Options struct {
	// Now is the server's clock. Default: time.Now.
	Now func() time.Time
	// Delay is how long events that came in stay invisible. Default: they are
	// seen at once, which the real service does not promise.
	Delay time.Duration
	// Discard lets the server take events and forget them, for benchmarks of
	// writers.
	Discard bool
	// ScanPerPage is how many events a page of FilterLogEvents looks at; a page
	// in which none of them matches is empty and has a token. Default: 10,000.
	ScanPerPage int
}

// Server is CloudWatch Logs. It is safe for concurrent use.
type Server struct {
	// URL is the endpoint.
	URL string

	options Options
	http    *http.Server
	faults  faults

	mutex   sync.Mutex
	groups  map[string]*group
	queries map[string]*query
	calls   map[string]int // by operation
	batches []Batch
	last    int64 // the ingestion time given last
}

// Start starts a server on a free port of this machine.
func Start(opts *Options) (*Server, error) {
	s := &Server{groups: map[string]*group{}, queries: map[string]*query{}, calls: map[string]int{}}
	if opts != nil {
		s.options = *opts
	}
	if s.options.Now == nil {
		s.options.Now = time.Now
	}
	if s.options.ScanPerPage == 0 {
		s.options.ScanPerPage = maxPageEvents
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.URL = "http://" + listener.Addr().String()
	s.http = &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	go s.http.Serve(listener) //nolint:errcheck // Close ends it
	return s, nil
}

// Close stops the server and cuts the connections that are open.
func (s *Server) Close() error { return s.http.Close() }

// Client returns a client of the server. Edits see its options last.
func (s *Server) Client(edits ...func(*cloudwatchlogs.Options)) *cloudwatchlogs.Client {
	return cloudwatchlogs.New(cloudwatchlogs.Options{
		Region:       "eu-north-1",
		BaseEndpoint: aws.String(s.URL),
		Credentials:  credentials.NewStaticCredentialsProvider(AccessKey, SecretKey, ""),
	}, edits...)
}

// Calls returns how many calls of the operation came in, those included that
// went wrong.
func (s *Server) Calls(operation string) int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.calls[operation]
}

// ServeHTTP answers one call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	operation := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "Logs_20140328.")
	body, err := readBody(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mutex.Lock()
	s.calls[operation]++
	s.mutex.Unlock()
	fault, broken := s.faults.next(operation)
	if broken && fault.Kind == Slow {
		wait(r.Context(), fault.Wait)
	}
	answer, problem := s.answer(r, operation, body, fault)
	if broken && fault.Kind == LoseReply {
		panic(http.ErrAbortHandler) // cuts the connection
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	if problem != nil {
		w.WriteHeader(problem.status)
		answer = map[string]string{"__type": problem.code, "message": problem.message}
	}
	json.NewEncoder(w).Encode(answer) //nolint:errcheck // the client has gone
}

func (s *Server) answer(r *http.Request, operation string, body []byte, fault Fault) (any, *failure) {
	if problem := fault.failure(r); problem != nil {
		return nil, problem
	}
	if !strings.Contains(r.Header.Get("Authorization"), "Credential="+AccessKey+"/") {
		return nil, refuse("UnrecognizedClientException", "The security token included in the request is invalid.")
	}
	if operation == "PutLogEvents" {
		return s.putLogEvents(body, fault.Kind == VanishStream)
	}
	serve, known := operations[operation]
	if !known {
		return nil, refuse("UnknownOperationException", "")
	}
	var in request
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, refuse("SerializationException", err.Error())
	}
	in.empty = fault.Kind == EmptyPage
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return serve(s, in)
}

// operations are all but PutLogEvents.
var operations = map[string]func(*Server, request) (any, *failure){
	"CreateLogGroup":                (*Server).createLogGroup,
	"DeleteLogGroup":                (*Server).deleteLogGroup,
	"PutRetentionPolicy":            (*Server).putRetentionPolicy,
	"PutLogGroupDeletionProtection": (*Server).putDeletionProtection,
	"TagResource":                   (*Server).tagResource,
	"CreateLogStream":               (*Server).createLogStream,
	"DeleteLogStream":               (*Server).deleteLogStream,
	"DescribeLogStreams":            (*Server).describeLogStreams,
	"FilterLogEvents":               (*Server).filterLogEvents,
	"StartQuery":                    (*Server).startQuery,
	"GetQueryResults":               (*Server).getQueryResults,
}

// request holds the parameters of all operations.
type request struct {
	LogGroupName, LogStreamName, LogStreamNamePrefix, LogGroupIdentifier string

	LogStreamNames            []string
	KmsKeyID                  string `json:"kmsKeyId"`
	ResourceArn               string
	Tags                      map[string]string
	DeletionProtectionEnabled bool
	RetentionInDays           int
	FilterPattern, NextToken  string
	StartTime, EndTime        *int64
	StartFromHead             *bool
	Limit                     *int
	QueryString, QueryID      string
	MaxItems                  *int

	empty bool // an empty page is asked for by a fault
}

// failure is an answer that is an error.
type failure struct {
	status        int
	code, message string
}

func refuse(code, message string) *failure { return &failure{http.StatusBadRequest, code, message} }

func invalid(message string) *failure { return refuse("InvalidParameterException", message) }

func readBody(r *http.Request) ([]byte, error) {
	if r.ContentLength < 0 {
		return nil, errors.New("a length is required")
	}
	body := make([]byte, r.ContentLength)
	_, err := io.ReadFull(r.Body, body)
	return body, err
}
