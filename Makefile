# Targets that people call have a description after "##"; "make" lists them.

GO      ?= go
MVN     ?= mvn
# A repository that fails for a moment is asked again; Maven 3.9 and older ones have each their name for it.
MVN_RETRIES := -Daether.connector.http.retryHandler.count=5 -Dmaven.wagon.http.retryHandler.count=5
GOLANGCI_LINT_VERSION := v2.15.0
GOLANGCI_LINT := build/tools/golangci-lint-$(GOLANGCI_LINT_VERSION)
GOTESTSUM_VERSION := v1.13.0
GOTESTSUM := build/tools/gotestsum-$(GOTESTSUM_VERSION)

TESTBED_STAMP   := testbed/target/built
TESTBED_SOURCES := $(shell find testbed -name target -prune -o \( -name pom.xml -o -name '*.java' \) -print)

# The dumps that benchmarks read, about a gigabyte each: kind and count.
DUMPS := mix-700000 list-15000000 graph-14000000 fins-3000000 timers-3000000 maps-1200000 arrays-9500 entities-600000 tree-6000000

# The race detector needs a C compiler.
ifneq ($(shell command -v $${CC:-gcc} 2>/dev/null),)
RACE := -race
CGO  := CGO_ENABLED=1
else
$(warning no C compiler: testing without the race detector)
endif

# Tests with real JVMs, servers and clocks wait for a machine that others use too: up to
# three that fail are run once more, alone, and the output has both. What fails twice fails,
# and so does a data race.
TEST := $(GOTESTSUM) --format standard-quiet --rerun-fails=1 --rerun-fails-max-failures=3 \
  --rerun-fails-run-root-test --rerun-fails-abort-on-data-race

# Heap dumps with Eclipse Memory Analyzer's tables of them: the test that compares is
# skipped where there are none.
export HEAPSCAN_MAT_DUMPS ?= $(wildcard $(CURDIR)/../shared/dumps)

.DEFAULT_GOAL := help
.PHONY: help build image-root testbed postgres mariadb receivers chromium demo demo-once test downloads lint fuzz bench dumps bench-peers e2e-full clean tools

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build bin/apm-sidecar and bin/heapscan
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/ ./cmd/apm-sidecar ./cmd/heapscan

image-root: ## the root folder of the container image, in build/image
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o build/image/usr/local/bin/ ./cmd/apm-sidecar ./cmd/heapscan
	@mkdir -p build/image/etc/ssl/certs build/image/etc/apm-sidecar build/image/var/lib/apm-sidecar build/image/tmp
	@cp -L /etc/ssl/certs/ca-certificates.crt build/image/etc/ssl/certs/

testbed: tools $(TESTBED_STAMP) ## build the Java programs of the testbed

$(TESTBED_STAMP): $(TESTBED_SOURCES)
	$(MVN) $(MVN_RETRIES) --batch-mode --quiet --file testbed/pom.xml package
	@mkdir -p $(@D) && touch $@

postgres: ## install PostgreSQL if it is missing (Debian, as root)
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || testbed/install.sh postgresql || \
	  { echo "PostgreSQL is missing" >&2; exit 1; }

mariadb: ## install MariaDB for its tests if it is missing (Debian, as root)
	@{ command -v mariadbd && command -v mariadb-install-db; } >/dev/null || testbed/install.sh mariadb-server || \
	  echo "MariaDB is missing: its tests are skipped" >&2

receivers: ## install the receivers of samples and alerts that are missing (Debian, as root)
	@{ command -v victoria-metrics && command -v prometheus && command -v prometheus-alertmanager; } >/dev/null || \
	  testbed/install.sh victoria-metrics prometheus prometheus-alertmanager || \
	  echo "VictoriaMetrics, Prometheus or its Alertmanager is missing: their tests are skipped" >&2

chromium: ## install Chromium for the tests of the report's page if it is missing (Debian, as root)
	@command -v chromium chromium-browser google-chrome >/dev/null || testbed/install.sh chromium || \
	  echo "Chromium is missing: the page is not looked at" >&2

demo: build testbed postgres ## watch a leak being caught, until Ctrl-C
	@$(GO) build -o bin/demo ./testbed/demo && exec bin/demo

demo-once: build testbed postgres ## the same, but exit after the verdict
	@$(GO) build -o bin/demo ./testbed/demo && exec bin/demo -once

# The time limits are for what hangs: slow machines take several times what others do.
test: lint build testbed postgres mariadb receivers chromium $(GOTESTSUM) ## every check there is, end-to-end tests included
	$(CGO) $(TEST) --packages="$$($(GO) list ./... | grep -v '/testbed/e2e$$' | tr '\n' ' ')" -- $(RACE) -timeout 30m
	$(TEST) --packages=./testbed/e2e -- -count=1 -timeout 30m

downloads: $(GOLANGCI_LINT) $(GOTESTSUM) ## get the modules and the tools
	$(GO) mod download

lint: $(GOLANGCI_LINT) ## go vet and golangci-lint
	$(GO) vet ./...
	$(GOLANGCI_LINT) run --allow-parallel-runners ./...

$(GOLANGCI_LINT):
	GOBIN="$(CURDIR)/build/tools" $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)
	@mv build/tools/golangci-lint $@

$(GOTESTSUM):
	GOBIN="$(CURDIR)/build/tools" $(GO) install gotest.tools/gotestsum@$(GOTESTSUM_VERSION)
	@mv build/tools/gotestsum $@

FUZZ_TARGETS := hprof/FuzzHeader hprof/FuzzOutline hprof/FuzzObjects hprof/FuzzSpool hprof/FuzzText heap/FuzzBuild scan/FuzzFile jmx/FuzzAlike otlp/FuzzDecode

fuzz: ## feed every decoder inputs made up from its seeds, a minute each
	@for t in $(FUZZ_TARGETS); do \
	  $(GO) test -run '^$$' -fuzz "^$${t##*/}\$$" -fuzztime 60s -fuzzminimizetime 10x ./internal/$${t%%/*} || exit 1; done

bench: build ## run the benchmarks; the whole report on build/dumps/mix-700000.hprof if it is there; the sidecar against a fleet
	HEAPSCAN_BENCH_DUMP="$(wildcard $(CURDIR)/build/dumps/mix-700000.hprof)" $(GO) test -run '^$$' -bench . -benchmem ./internal/...
	$(GO) run ./testbed/fleet
	$(GO) run ./testbed/fleet -embedded

dumps: testbed $(DUMPS:%=build/dumps/%.hprof) ## write the benchmarks' heap dumps to build/dumps (6 GiB memory, 10 GiB disk)

# The JVM refuses to write over a file, and a dump cut short must not look whole.
build/dumps/%.hprof: | $(TESTBED_STAMP)
	@mkdir -p $(@D) && rm -f $@.part.hprof
	java -XX:+UseParallelGC -Xms4g -Xmx6g -jar testbed/dump-maker/target/dump-maker.jar \
	  $(firstword $(subst -, ,$*)) $(lastword $(subst -, ,$*)) $@.part.hprof
	@mv $@.part.hprof $@

PEERS := build/peers/bin/hprof-slurp build/peers/bin/hprof-analyzer

bench-peers: build dumps $(PEERS) ## heapscan and its peers side by side on those dumps (needs cargo, takes half an hour)
	$(GO) run ./testbed/peers $(DUMPS:%=build/dumps/%.hprof)

build/peers/bin/hprof-slurp: PEER_VERSION := 0.10.0
build/peers/bin/hprof-analyzer: PEER_VERSION := 0.3.2
$(PEERS):
	@command -v cargo >/dev/null || { echo "cargo is missing. Install Rust, on Debian: sudo apt-get install cargo" >&2; exit 1; }
	cargo install --locked --root build/peers $(notdir $@)@$(PEER_VERSION)

e2e-full: build testbed postgres mariadb receivers ## all finalizer states on every JDK found, all collectors
	E2E_FULL=1 $(GO) test -count=1 -v -timeout 120m ./testbed/e2e

clean: ## remove everything that was built
	rm -rf bin build testbed/target testbed/*/target testbed/*/*/target

tools:
	@command -v $(GO) >/dev/null || { echo "Go is missing: see https://go.dev/doc/install" >&2; exit 1; }
	@command -v java >/dev/null || { echo "Java is missing. Install a JDK of version 17 or newer." >&2; exit 1; }
	@command -v $(MVN) >/dev/null || { echo "Maven is missing. Install it, on Debian: sudo apt-get install maven" >&2; exit 1; }
