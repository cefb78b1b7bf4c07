# make test   everything, on every database; starts the servers it needs
# make bench  what auditing costs, beside plain GORM and other ways; some minutes
# make lint   formatting, vet, linters, module file
# make fmt    format all files

GOFUMPT  = go run mvdan.cc/gofumpt@v0.12.0
GOLANGCI = go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

# The packages to test, and more flags for go test:
#   make test PACKAGES=./hooks FLAGS='-run TestCreate'
PACKAGES = ./...
FLAGS    =

.PHONY: test bench lint fmt

# Package pgpipe has its connections behind everything that speaks to PostgreSQL
# in a second run: the subtests of that name, and the one test of the panel.
PIPELINED = . ./history ./internal/cli ./internal/oracle ./migrate ./otelaudit ./outbox ./repository/sqlrepo

# Testservers is built without cgo, because it may have to install the C
# compiler that the race detector and one of the SQLite drivers need.
test:
	CGO_ENABLED=0 go run ./internal/testservers -report -- \
		env CGO_ENABLED=1 go test -json -race -shuffle=on -timeout=40m $(FLAGS) $(PACKAGES)
ifeq ($(PACKAGES),./...)
	CGO_ENABLED=0 go run ./internal/testservers -report -- \
		env CGO_ENABLED=1 EVENT_AUDIT_TEST_PIPELINE=1 go test -json -race -shuffle=on -timeout=40m -run /postgres $(FLAGS) $(PIPELINED)
	CGO_ENABLED=0 go run ./internal/testservers -report -- \
		env CGO_ENABLED=1 EVENT_AUDIT_TEST_PIPELINE=1 go test -json -race -run TestPagingGoesBothWays $(FLAGS) ./admin
endif

bench:
	CGO_ENABLED=0 go run ./internal/testservers -- env CGO_ENABLED=1 go -C bench run . $(FLAGS)

lint:
	@unformatted=$$($(GOFUMPT) -l .); test -z "$$unformatted" || { echo "run make fmt for:" $$unformatted; exit 1; }
	go vet ./... && go -C bench vet ./...
	go mod tidy -diff && go -C bench mod tidy -diff
	@grep -qx 'go 1.26' go.mod || { echo "go.mod: the go line must stay at 1.26; require an older version of what raised it"; exit 1; }
	$(GOLANGCI) run ./...
	cd bench && $(GOLANGCI) run ./...

fmt:
	$(GOLANGCI) fmt ./...
