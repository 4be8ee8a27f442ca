# The two commands of the course are `make site` and `make check`; `make help` lists the others.

# uv installs what each command needs, and no more. Where it is missing, it goes into .tools/.
UV := $(or $(shell command -v uv),.tools/bin/uv)
SITE := $(UV) run --frozen --only-group site
LESSONS := $(UV) run --frozen --no-default-groups --group lessons
DEV := $(UV) run --frozen --group dev

# Use the Python that is here.
export UV_PYTHON_DOWNLOADS := never
# Material's notice about its successor.
export NO_MKDOCS_2_WARNING := 1

.DEFAULT_GOAL := help
.PHONY: help site check run build bench lint clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Serving builds a saved page alone, in about a second; `make build` is the strict one.
site: build ## build the site and serve it at http://127.0.0.1:8000/
	$(SITE) mkdocs serve --dirty

check: lint ## prove everything: lint, each page and lab from scratch, records, strict build, all tests
	$(DEV) python -m tests.lessons verify
	$(DEV) python -m tests.labs verify
	$(DEV) python -m tests.lessons run --rerun
	$(DEV) python -m tests.labs run --rerun
	$(DEV) pytest -n 2 --dist worksteal

LABS := $(filter labs/%,$(PAGE))
PAGES := $(filter-out labs/%,$(PAGE))
run: $(UV) ## execute the lessons and labs that changed; one by name: make run PAGE=recurrent/lstm or labs/windows
	$(if $(PAGES)$(if $(LABS),,all),$(LESSONS) python -m tests.lessons run $(PAGES))
	$(if $(LABS)$(if $(PAGES),,all),$(LESSONS) python -m tests.labs run $(LABS))

build: $(UV) ## build the site into site/; a lesson or lab that changed is run first
	@stale=$$($(SITE) python -m tests.lessons stale && $(SITE) python -m tests.labs stale) || exit 1; \
	test -z "$$stale" || $(MAKE) run
	$(SITE) python -m tests.downloads
	$(SITE) mkdocs build --strict

bench: $(UV) ## measure the site: docs/reference/measured.txt
	$(DEV) python -m tests.bench

lint: $(UV)
	$(DEV) ruff check
	$(DEV) ruff format --check
	$(DEV) rumdl check --quiet .
	$(DEV) typos

clean: ## remove what can be made again
	rm -rf .venv .tools .runs .hypothesis site

.tools/bin/uv:
	python3 -m venv .tools
	.tools/bin/pip install --quiet --disable-pip-version-check uv

# A uv that is already installed is no target of ours.
$(filter-out .tools/bin/uv,$(UV)):
