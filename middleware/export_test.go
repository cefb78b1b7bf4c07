package middleware

// What the fuzz tests reach.
var (
	TraceID       = traceID
	ClientAddress = clientAddress
)
