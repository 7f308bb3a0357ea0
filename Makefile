# Two commands do all the set-up on a fresh machine: make demo, make test.
export PATH := $(PATH):$(HOME)/.cargo/bin
# Builds use the committed .sqlx/, whatever DATABASE_URL is set to.
export SQLX_OFFLINE ?= true

WORLD := python3 tests/world --with-parent
PHASE := $(WORLD) phase
SUITE := $(WORLD) test --kubernetes -- cargo test --locked --quiet

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help build demo dev run test test-full lint bench sqlx psql fmt docs deny cluster setup setup-lint setup-kubernetes checks probes cluster-probes chart-probes queries

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

build: setup  ## the broker, optimised: target/release/chandlery
	@cargo build --locked --release

demo: setup  ## the main job from end to end, then a broker to try (K8S=1: on Kubernetes, with svcat; ONCE=1: ends after the walk)
	@$(WORLD) demo

dev: setup  ## PostgreSQL, AWS stand-in and broker (K8S=1: the chart on Kubernetes); one line of JSON when ready; Ctrl-C ends it
	@$(WORLD) dev

cluster: setup  ## a Kubernetes API server for tests; prints one line of JSON when ready; Ctrl-C ends it
	@$(WORLD) cluster

run: setup  ## a broker on your own DATABASE_URL and AWS account
	@$(WORLD) run

test: checks  ## everything that must pass before a change lands (a sample of the crash test)
	@$(PHASE) "tests" -- $(SUITE)

test-full: export CHANDLERY_TEST_FULL = 1
test-full: checks  ## as test, with the crash test at every point of every offering
	@$(PHASE) "tests, in full" -- $(SUITE)

lint: setup-lint  ## format and clippy
	@$(PHASE) "format" -- cargo fmt --check
	@$(PHASE) "clippy" -- cargo clippy --locked --all-targets --quiet -- -D warnings

deny: setup  ## licences, bans, sources and advisories of the dependencies
	@$(PHASE) "dependencies" -- $(WORLD) deny

bench: setup  ## requests a second, latencies, memory, as ratios (release build); written as JSON
	@$(WORLD) bench $(ARGS)

sqlx: setup  ## write .sqlx/ anew after a change to a query or a migration
	@$(WORLD) sqlx

psql: setup  ## psql on a fresh database with our tables
	@$(WORLD) psql

fmt: setup-lint  ## format the sources
	@cargo fmt

docs: setup  ## the crate's documentation: target/doc
	@RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items

# The quick ones come first, so that most mistakes are known within minutes.
checks: setup-lint probes lint deny queries cluster-probes chart-probes

queries: setup
	@$(PHASE) "queries" -- $(WORLD) sqlx --check

probes: setup
	@$(PHASE) "probes of the AWS stand-in" -- $(WORLD) python -m unittest discover -s tests/aws/probes

cluster-probes: setup-kubernetes
	@$(PHASE) "probes of the Kubernetes cluster" -- python3 -m unittest discover -s tests/kubernetes/probes

chart-probes: setup-kubernetes
	@$(PHASE) "probes of the Helm chart" -- $(WORLD) python -m unittest discover -s tests/kubernetes/chart

setup:
	@$(WORLD) setup

setup-lint:
	@$(WORLD) setup lint

# Their programs take about ten minutes to build on two cores, once on a machine.
setup-kubernetes: setup
	@$(PHASE) "Kubernetes programs" -- $(WORLD) setup kubernetes
