# Everything that is needed is installed into .venv on first use. Without make: see docs/how-to/run-without-make.md.
PYTHON ?= python3
BIN = .venv/bin
TOOL = $(BIN)/python -m uv tool run
DEMO_DATABASE = demo.sqlite3
DEMO_GATEWAY = demo_gateway.sqlite3
DEMO_DOCUMENTS = demo_documents
PORT ?= 8000

GERMAN = locale/de/LC_MESSAGES/django

.PHONY: demo test soak serve bench check docs client reference messages lock wheel sbom licences vulnerabilities

demo serve: export SANDBOX_GATEWAY_FILE ?= $(DEMO_GATEWAY)
demo serve: export DOCUMENTS_FOLDER ?= $(DEMO_DOCUMENTS)
demo: .venv/base $(GERMAN).mo
	@if [ -e $(DEMO_DATABASE) ]; then echo "Starting afresh: the last demo's database is deleted."; fi
	@rm -f $(DEMO_DATABASE) $(DEMO_DATABASE)-wal $(DEMO_DATABASE)-shm $(DEMO_GATEWAY) $(DEMO_GATEWAY)-wal $(DEMO_GATEWAY)-shm
	@rm -rf $(DEMO_DOCUMENTS)
	@echo "The tables of the database are made. This takes a minute."
	DATABASE_URL=sqlite:///$(DEMO_DATABASE) VIRTUAL_CLOCK=1 $(BIN)/python manage.py migrate --verbosity 0
	DATABASE_URL=sqlite:///$(DEMO_DATABASE) VIRTUAL_CLOCK=1 $(BIN)/python manage.py demo

test: .venv/dev $(GERMAN).mo
	$(BIN)/python -m tests

# What takes too long for the tests: collecting and rebilling killed at hundreds of points and moments, a thousand random rebills.
soak: .venv/dev
	$(BIN)/python -m tests.soak

# The site, and beside it the worker that does what is due: both end with Ctrl+C.
serve: export DATABASE_URL ?= sqlite:///$(DEMO_DATABASE)
serve: export DEBUG = 1
serve: .venv/base $(GERMAN).mo
	@echo "The tables of the database are brought up to date. The first time, this takes a minute."
	$(BIN)/python manage.py migrate --verbosity 0
	$(BIN)/python manage.py work --serve $(PORT)

bench: .venv/dev
	$(BIN)/python -m tests.bench

# What every change is checked with beside the tests.
check: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(MAKE) docs

# The documentation as a site in site/, which loads nothing from the network.
docs: .venv/dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# The typed Python client, written from the API's description into clients/python/package.
client: .venv/dev
	$(BIN)/python manage.py spectacular --format openapi-json --file clients/python/schema.json
	$(BIN)/openapi-python-client generate --path clients/python/schema.json --config clients/python/config.yaml --meta uv \
		--overwrite --fail-on-warning --output-path clients/python/package

# The program as one file, which any Python installs: in dist/. The same commit gives the same bytes.
wheel: .venv/dev
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(BIN)/python -m hatchling build --target wheel

# What the program is made of, as CycloneDX: in dist/. From the pinned versions, so the same commit gives the same file.
sbom: .venv/dev
	@mkdir -p dist
	$(TOOL) --from cyclonedx-bom==7.5.0 cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible \
		--output-format JSON --output-file dist/billing-back-office.cdx.json requirements/base.txt

# The licences of what is installed. tests/test_licences.py refuses those that we may not use.
licences: .venv/dev
	$(TOOL) --from pip-licenses==5.5.5 pip-licenses --python $(BIN)/python --order license

# Known vulnerabilities of the pinned versions. Asks a service on the Internet, and says so if it cannot.
vulnerabilities: .venv/dev
	@said=$$($(TOOL) --from pip-audit==2.10.1 pip-audit --strict --disable-pip --requirement requirements/base.txt 2>&1); \
		code=$$?; echo "$$said"; \
		if [ $$code -ne 0 ] && ! echo "$$said" | grep -q "Found [0-9]* known"; then \
			echo "The service of known vulnerabilities was not reached, or does not know a package: THIS IS NOT A RESULT."; fi; \
		exit $$code

# Writes the tables of the documentation that the code knows.
reference: .venv/dev
	$(BIN)/python -m tests.reference_tables

# Brings new and changed texts of pages and statements into the catalogues of the other languages, to be translated there.
messages: .venv/base
	$(BIN)/python -m billing_site.catalogues update

# What the server reads of a catalogue. The gettext tools are not needed.
$(GERMAN).mo: $(GERMAN).po | .venv/base
	$(BIN)/python -m billing_site.catalogues

# Pins every dependency by hash again, from pyproject.toml.
lock: .venv/dev
	$(BIN)/python -m uv pip compile --quiet --universal --generate-hashes --no-header pyproject.toml -o requirements/base.txt
	$(BIN)/python -m uv pip compile --quiet --universal --generate-hashes --no-header pyproject.toml --extra stripe \
		-c requirements/base.txt -o requirements/stripe.txt
	$(BIN)/python -m uv pip compile --quiet --universal --generate-hashes --no-header pyproject.toml --extra celery \
		-c requirements/base.txt -o requirements/celery.txt
	$(BIN)/python -m uv pip compile --quiet --universal --generate-hashes --no-header pyproject.toml --extra mail \
		-c requirements/base.txt -o requirements/mail.txt
	$(BIN)/python -m uv pip compile --quiet --universal --generate-hashes --no-header pyproject.toml --extra otel \
		-c requirements/base.txt -o requirements/otel.txt
	$(BIN)/python -m uv pip compile --quiet --universal --generate-hashes --no-header pyproject.toml --extra sentry \
		-c requirements/base.txt -o requirements/sentry.txt
	$(BIN)/python -m uv pip compile --quiet --universal --generate-hashes --no-header pyproject.toml --extra dev \
		-c requirements/base.txt -o requirements/dev.txt

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/base: requirements/base.txt | .venv/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/base.txt
	@touch $@

.venv/dev: requirements/dev.txt | .venv/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@ .venv/base
