# Everything one does with this repository. `make` alone lists it.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# Directories are listed too: their time changes when a file in them goes away. The dots keep the directory
# test/. apart from the target test.
sources := $(shell find src/. test/. examples/. bench/. scripts/. -type d -o -name '*.ts')

PREFIX ?= /usr/local

# Test files at a time: one more than there are cores, since many wait for something most of the time. Those of
# test/alone wait until no other runs: see test/lab/turn.ts.
JOBS ?= $(shell echo $$(($$(nproc) + 1)))

# One invocation for all files, so that the summary at the end covers all of them.
run-tests := node --test --test-reporter=spec --test-timeout=300000

.PHONY: help build check test mutants faults soak sim worlds trials fuzz demo bench start-up golden install uninstall deb pack clean root packages

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: dist/.built ## Compile to dist/

check: dist/.built ## Types, lint, import rules, unit and golden tests, a short simulation, some fuzzing: no root, under a minute
	node_modules/.bin/biome check --error-on-warnings
	files=$$(scripts/list-tests unit golden sim fuzz) && $(run-tests) --test-concurrency=$$(nproc) $$files

test: root packages dist/.built ## Everything against real kernels and real etcd: root; installs Debian packages
	files=$$(scripts/list-tests unit golden sim fuzz worlds alone kernel etcd e2e) && $(run-tests) --import ./dist/test/lab/turn.js --test-concurrency=$(JOBS) $$files

sim: dist/.built ## Simulate HOURS host-hours of faults (100000), write docs/simulation/result.json; SEED=7 replays one world
	SEED="$(SEED)" HOURS="$(HOURS)" node dist/test/sim/main.js

worlds: dist/.built ## Plan, save and apply COUNT random hosts (10000), write docs/worlds/result.json; SEED=7 repeats a run
	COUNT="$(COUNT)" SEED="$(SEED)" node dist/test/worlds/main.js

trials: root packages dist/.built ## Put RUNS changes on trial (100) and lose who started them, write docs/trials/result.json: root
	RUNS="$(RUNS)" node dist/test/trials/main.js

fuzz: dist/.built ## Try COUNT inputs (10000000) on all that reads foreign bytes, write docs/fuzzing/result.json; SEED=7 repeats a run
	COUNT="$(COUNT)" SEED="$(SEED)" node dist/test/fuzz/main.js

faults: root packages dist/.built ## Inject every fault, write docs/faults.md: root; ROWS=K1,K4 some, FULL=1 more of each
	ROWS="$(ROWS)" FULL="$(FULL)" node dist/test/faults/scoreboard.js

soak: root packages dist/.built ## A fault every 10 s for MINUTES (60) on real parts, write docs/soak/result.json: root; SEED=1
	MINUTES="$(MINUTES)" SEED="$(SEED)" node dist/test/faults/soak.js

mutants: dist/.built ## Break the program in many ways: each must turn tests red; ONLY=text takes a part
	node dist/test/mutants/prove.js $(ONLY)

demo: root packages dist/.built ## Three hosts in one network, shown step by step: root; KEEP=1 leaves them up
	node dist/examples/demo/demo.js

bench: root dist/.built ## What the packet loop carries beside routing, vxlan and C: root; ONLY=udp64 RUNS=1 for a part
	@scripts/install-debian-packages gcc libc6-dev
	node dist/bench/bench.js

start-up: root packages dist/.built ## How long version, validate and run take to begin, write docs/bench/start-up.md: root
	node dist/bench/start-up.js

golden: dist/.built ## Rewrite the expected files of the golden tests: read the diff before you commit
	files=$$(scripts/list-tests golden) && GOLDEN=write $(run-tests) $$files

install: dist/.built ## Install below PREFIX, /usr/local unless given; DESTDIR goes before it: root
	scripts/install-files install "$(DESTDIR)" "$(PREFIX)"
	@[ -n "$(DESTDIR)" ] || echo 'Next: docs/install.md, "From source"'

uninstall: ## Take away what install put there
	scripts/install-files uninstall "$(DESTDIR)" "$(PREFIX)"

deb: dist/.built ## Debian packages in out/, for this machine's architecture
	scripts/build-debs out $(DEB_OPTIONS)

pack: dist/.built ## An npm package in out/
	mkdir -p out
	npm pack --pack-destination out

clean: ## Remove what was built
	rm -rf dist .build out

root:
	@[ "$$(id --user)" -eq 0 ] || { echo 'This needs root: it makes network namespaces, TUN devices and firewall rules in them' >&2; exit 77; }

packages:
	@scripts/install-debian-packages

# npm writes this file at the end of an installation.
node_modules/.package-lock.json: package-lock.json
	npm ci
	@touch $@

dist/.built: tsconfig.json node_modules/.package-lock.json $(sources)
	rm -rf dist
	node_modules/.bin/tsc -p .
	node dist/scripts/bundle.js
	@touch $@
