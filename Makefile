# VssID: every way to run, test and look after the product. `make` alone lists them.

RUN     ?= .run
CITIZENS ?= 20
SERVICE ?=
ROWS    ?=
ENGINE  ?=
DURATION ?= 120
SEED    ?=
STEPS   ?=
STEP    ?=
TO      ?=
FROM    ?=
TLS     ?=
PYTHON  ?= python3
VENV    := .venv
PY      := $(VENV)/bin/python
NATIVE  := $(PY) -m deploy.native
export PYTHONPATH := $(CURDIR)

# Unit tests need nothing; the others start private servers under .run/test by themselves.
INTEGRATION := $(wildcard shared/tests/integration services/*/tests/integration deploy/*/tests/integration)
EVERY_PROFILE := $(addprefix --profile ,demo observability prometheus operate play)
KIT_FAULTS_IN_SHORT := $(addprefix tests/faults/test_,kills.py poison.py same_request.py)
FAULTS_IN_SHORT := $(KIT_FAULTS_IN_SHORT) tests/faults/test_product_same_request.py

.DEFAULT_GOAL := help
.PHONY: help setup up down restart status logs endpoints demo test test-unit test-integration test-contracts \
        test-e2e test-compat test-observability prometheus test-faults faults faults-long lint format promises prove lock docs clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  \033[1m%-17s\033[0m %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  Settings: RUN=.run (folder of the installation)  CITIZENS=20  SERVICE=identity  ROWS=\"G6 F9\"  TLS=1"

setup: ## Install what is missing: Debian packages (as root), the Python environment
	@sh deploy/native/install.sh
	@sh deploy/native/environment.sh $(PYTHON) $(VENV)

# Running

up: setup ## Start everything on this machine and wait until it is ready
	@$(NATIVE) up --run $(RUN)

down: ## Stop everything that was started; the data stays
	@if [ -x $(PY) ]; then $(NATIVE) down --run $(RUN); fi

restart: setup ## Start services and stand-ins anew, with the code as it is now
	@$(NATIVE) restart --run $(RUN)

status: setup ## Show every process
	@$(NATIVE) status --run $(RUN)

logs: setup ## Follow the logs (SERVICE=identity for one process)
	@$(NATIVE) logs --run $(RUN) --service "$(SERVICE)"

endpoints: setup ## Print where each thing listens, as JSON
	@$(NATIVE) endpoints --run $(RUN)

prometheus: setup ## Watch the installation with Debian's Prometheus, until Ctrl-C
	@sh deploy/native/install.sh prometheus
	@$(PY) -m deploy.observability --run $(RUN)

demo: ## Run CITIZENS=20 synthetic citizens through the whole path (ENGINE=compose or native)
	@RUN=$(RUN) CITIZENS=$(CITIZENS) TLS=$(TLS) sh deploy/demo/run.sh $(ENGINE)

# Running in containers

.PHONY: engine images images-offline compose-up compose-secrets compose-production \
        compose-upgrade compose-back compose-backup compose-restore compose-down

engine: ## Find a Docker engine with Compose v2; on Debian as root, install and start one
	@sh deploy/docker/engine.sh up

images: engine ## Build the images: on the official ones, or where no registry answers as below
	@sh deploy/docker/images.sh

images-offline: engine ## Build every image from Debian packages alone, without an image registry
	@sh deploy/docker/airgap/build.sh .run/images.env

compose-up: ## Start everything in containers, stand-ins too, and wait until it is ready (TLS=1: encrypted)
	@RUN=$(RUN) TLS=$(TLS) sh deploy/docker/up.sh

compose-secrets: ## Make the secrets of an installation in containers, start nothing (STEP=publish: docs/operations.md)
	@RUN=$(RUN) sh deploy/docker/prepare.sh $(STEP)

compose-production: ## Start everything but the stand-ins, towards the parties in RUN/compose/settings.env
	@RUN=$(RUN) TLS=$(TLS) sh deploy/docker/up.sh production

compose-upgrade: ## Change the containers to the version that is checked out: migrations, then service by service
	@RUN=$(RUN) sh deploy/docker/upgrade.sh

compose-back: ## The way back: the version that ran before, service by service; the data stays
	@RUN=$(RUN) sh deploy/docker/upgrade.sh back

compose-backup: ## Databases, photos and keys of the containers, into a folder of TO=/srv/backups
	@RUN=$(RUN) sh deploy/docker/backup.sh $(if $(TO),"$(TO)")

compose-restore: ## Put the containers' databases back to FROM=/srv/backups/TIME (SERVICE=identity: that one alone)
	@RUN=$(RUN) sh deploy/docker/restore.sh $(if $(FROM),"$(FROM)") $(SERVICE)

compose-down: ## Stop and remove the containers; the data stays
	@RUN=$(RUN) sh deploy/docker/compose.sh $(EVERY_PROFILE) down

# Testing

test: lint test-unit ## What has to pass before a change goes in: all below, of the faults a short form
	$(PY) -m pytest -n 3 --dist loadfile $(INTEGRATION) tests/contracts tests/e2e
	KILLS=5 $(PY) -m pytest $(FAULTS_IN_SHORT)
	STEPS=500 $(PY) -m pytest tests/properties/test_registrations.py

lint: setup ## Style, types, and the directions of imports
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy --strict $(wildcard services/*/domain.py services/*/use_cases.py services/*/use_cases)
	$(VENV)/bin/lint-imports

test-unit: setup ## Tests that need no server
	$(PY) -m pytest -n 2 shared services deploy bench --ignore-glob='*/tests/integration'

test-integration: setup ## Tests on private servers
	$(PY) -m pytest -n 3 --dist loadfile $(INTEGRATION)

test-contracts: setup ## Events, queues, and the rules of the house
	$(PY) -m pytest tests/contracts

test-e2e: setup ## The whole path, over HTTP
	$(PY) -m pytest tests/e2e

test-compat: setup ## The kit on Debian 13's RabbitMQ 4.0 and PostgreSQL 17, installed in .run/trixie (as root)
	@sh deploy/native/debian_root.sh trixie .run/trixie
	VSSID_SERVERS_ROOT=.run/trixie VSSID_TEST_RUN=.run/test-trixie KILLS=5 \
	    $(PY) -m pytest shared/tests/integration deploy/native/tests/integration/test_versions.py $(KIT_FAULTS_IN_SHORT)

test-observability: setup ## Every alert fires and clears in Debian's Prometheus; one registration is one trace
	@sh deploy/native/install.sh prometheus
	$(PY) -m pytest tests/observability

.PHONY: test-compose test-compose-smoke

test-compose: setup engine ## Containers scaled, killed, restarted and stopped under load (about 20 minutes)
	$(PY) -m pytest tests/compose

test-compose-smoke: setup engine ## The same in short: one path, one service scaled
	$(PY) -m pytest tests/compose -m smoke

.PHONY: test-operations

test-operations: setup ## Back-up, restore of each database, reconciling, keys: an operator's work (about 10 minutes)
	$(PY) -m pytest tests/operations

.PHONY: test-stateful

test-stateful: setup ## Random citizens, officers, clocks and losses, STEPS=500 SEED=7; planted defects
	STEPS=$(STEPS) $(if $(SEED),SEED=$(SEED)) $(PY) -m pytest tests/properties

test-faults: setup ## All faults in full: kit and product killed, cut, starved (about 15 minutes)
	$(PY) -m pytest tests/faults

faults: setup ## Break everything at random for DURATION=120 seconds; SEED=7 walks the same way again
	@$(PY) -W ignore -m tests.faults.walk --duration $(DURATION) $(if $(SEED),--seed $(SEED))

AS_LONG_AS_PROMISED := BROKER_AWAY_SECONDS="5 60" BROKER_STUCK_SECONDS=90 DATABASE_AWAY_SECONDS=60 REGISTER_AWAY_SECONDS=60

faults-long: setup ## Test every fault for as long as the promises say
	$(AS_LONG_AS_PROMISED) $(PY) -m pytest tests/faults

promises: setup ## Print which test proves which promise
	@$(PY) -m tests.promises list

prove: setup ## Prove promises with their planted twins: ROWS="G6 F9"
	@$(AS_LONG_AS_PROMISED) $(PY) -m tests.promises prove $(ROWS)

# Measuring

.PHONY: bench bench-quick bench-registrations bench-log-ins

bench: setup ## Measure against stock Nameko and FastStream, about an hour on a quiet machine
	@sh bench/environment.sh $(VENV)
	@$(PY) -W ignore -m bench

bench-quick: setup ## The same in small, three minutes, for development
	@sh bench/environment.sh $(VENV)
	@$(PY) -W ignore -m bench --quick

bench-registrations: setup ## What a registration costs on top of a thousand and of a million others, 40 minutes
	@sh bench/environment.sh $(VENV)
	@$(PY) -W ignore -m bench registrations

bench-log-ins: setup ## Log-ins a second, of what argon2id alone allows on the same cores, eight minutes
	@sh bench/environment.sh $(VENV)
	@$(PY) -W ignore -m bench log_ins

# Looking after the source

LOCKED := --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links

format: setup ## Format the source
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

.PHONY: audit
audit: setup ## Known holes of the dependencies, as PyPI's advisories have them: clean, holes, or could not ask
	@$(PY) -m deploy.holes requirements-service.lock --explained explained-holes.toml

lock: setup ## Resolve the dependencies anew into the three locks
	$(PY) -m pip install --quiet uv
	$(VENV)/bin/uv pip compile --quiet pyproject.toml --group dev --universal --python-version 3.11 --upgrade \
	    $(LOCKED) -o requirements.lock
	$(VENV)/bin/uv pip compile --quiet pyproject.toml --group stand-ins --constraints requirements.lock --universal \
	    --python-version 3.11 $(LOCKED) -o requirements-service.lock
	$(VENV)/bin/uv pip compile --quiet --group pyproject.toml:bench --constraints requirements.lock --universal \
	    --python-version 3.11 $(LOCKED) -o requirements-bench.lock

docs: setup ## Generate the API documents in docs/
	$(PY) -W ignore -m shared.events.asyncapi > docs/asyncapi.json.new
	mv docs/asyncapi.json.new docs/asyncapi.json
	$(PY) -c "from services.gateway.app import create; \
	    print(create(None, None).test_client().get('/openapi.json').text, end='')" > docs/openapi.json.new
	mv docs/openapi.json.new docs/openapi.json
	$(PY) -m shared.settings > docs/settings.md.new
	mv docs/settings.md.new docs/settings.md
	$(PY) -m tests.promises write

clean: ## Stop every installation under .run, and remove its data and all caches
	@if [ -x $(PY) ]; then for ports in $$(find .run -maxdepth 2 -name ports.json 2>/dev/null); do \
	    $(NATIVE) down --run "$$(dirname "$$ports")"; done; fi
	@for made in $$(find .run -maxdepth 2 -name compose -type d 2>/dev/null); do \
	    RUN="$$(dirname "$$made")" sh deploy/docker/compose.sh $(EVERY_PROFILE) down --volumes; done
	rm -rf .run .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
