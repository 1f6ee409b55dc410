# Everything that is needed is installed into .venv on first use. Without make: see docs/how-to/run-without-make.md.
PYTHON ?= python3
BIN = .venv/bin
DEMO_DATABASE = demo.sqlite3
DEMO_GATEWAY = demo_gateway.sqlite3
DEMO_DOCUMENTS = demo_documents
PORT ?= 8000

GERMAN = locale/de/LC_MESSAGES/django

.PHONY: demo test soak serve bench check docs reference messages lock

demo serve: export SANDBOX_GATEWAY_FILE ?= $(DEMO_GATEWAY)
demo serve: export DOCUMENTS_FOLDER ?= $(DEMO_DOCUMENTS)
demo: .venv/base $(GERMAN).mo
	@if [ -e $(DEMO_DATABASE) ]; then echo "Starting afresh: the last demo's database is deleted."; fi
	@rm -f $(DEMO_DATABASE) $(DEMO_DATABASE)-wal $(DEMO_DATABASE)-shm $(DEMO_GATEWAY) $(DEMO_GATEWAY)-wal $(DEMO_GATEWAY)-shm
	@rm -rf $(DEMO_DOCUMENTS)
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
