# make demo   build, make a real dump in the lab, report on it
# make test   check, lab-test and a short bench: what CI runs
# make check  the fast part: no network, root or VM

GO ?= go
FUZZTIME ?= 60s
BENCH_RUNS ?= 5
DEMO ?= 6.12-null-nonote
LAB = $(GO) run ./cmd/inquest-lab
# Dumps that crash and drgn read too, and dumps that are cut and overwritten.
PEERS = 6.1-sysrq-note/elf 6.1-irq-note/elf 6.12-sysrq-note/elf 6.12-null-note/elf
DAMAGED = 6.1-sysrq-note/elf 6.12-sysrq-note/kdump
BIG = 6.12-sysrq-note-big

.PHONY: all build check demo test lab-test bench fuzz clean

all: build

build: bin/inquest

bin/inquest: FORCE
	CGO_ENABLED=0 $(GO) build -trimpath -o $@ ./cmd/inquest

FORCE:

check:
	@out=$$(gofmt -l $$($(GO) list -f '{{.Dir}}' ./...)); if [ -n "$$out" ]; then echo "gofmt would change:"; echo "$$out"; exit 1; fi
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	$(GO) test ./...

# The lab installs what it lacks by apt-get and keeps kernels and dumps in the
# user's cache, some 20 GB.
demo: build
	$(LAB) make $(DEMO)
	bin/inquest "$$($(LAB) list | sed -n 's|^$(DEMO)/elf ||p')"

lab-test: build
	$(LAB) make
	$(LAB) verify
	$(LAB) peers $(PEERS)
	$(LAB) damage $(DAMAGED)

bench: build
	$(LAB) make $(BIG)
	$(LAB) bench $(BENCH_RUNS)

test: check lab-test
	$(MAKE) bench BENCH_RUNS=1

# Every fuzz target for FUZZTIME, one after the other.
fuzz:
	@for p in $$($(GO) list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.Dir}}{{end}}' ./...); do \
		for f in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' $$p/*_test.go); do \
			echo "$$p $$f"; (cd $$p && $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1x .) || exit 1; \
		done; \
	done

clean:
	rm -rf bin
