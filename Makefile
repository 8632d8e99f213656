# The commands of the project. Each sets up .venv first if it is not there yet.
#
#   make parity   the main job: one model in refnet and in Keras, compared and timed
#   make test     all tests
#   make bench    the benchmarks
#   make lint     ruff and mypy
#   make docs     the documentation, into site/
#   make pictures the picture of README.md, from new measurements
#   make clean    remove .venv and everything that was built
#   make pins     write the versions that .venv holds into constraints.txt

PY = .venv/bin/python
PYTEST_ARGS =
BENCH_ARGS =

# An activated environment or a user's site-packages must not leak into .venv.
unexport PYTHONPATH PYTHONHOME
export PYTHONNOUSERSITE = 1

.PHONY: help parity test bench lint docs pictures clean pins

help:
	@sed -n '1,/^$$/s/^# \{0,1\}//p' Makefile

# The stamp is written last, so that an interrupted set-up is taken up again.
.venv/installed: pyproject.toml constraints.txt .ci/setup
	@sh .ci/setup

parity: .venv/installed
	@$(PY) -m bench main

test: .venv/installed
	@$(PY) -m pytest $(PYTEST_ARGS)

bench: .venv/installed
	@$(PY) -m bench $(BENCH_ARGS)

lint: .venv/installed
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy

docs: .venv/installed
	@NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict --quiet
	@echo "wrote site/index.html"

pictures: .venv/installed
	@$(PY) docs/pictures.py

clean:
	rm -rf .venv out site build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	find bench docs parity refnet tests -name __pycache__ -type d -prune -exec rm -rf {} +

pins: .venv/installed
	@$(PY) .ci/pins
