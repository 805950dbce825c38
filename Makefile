# make setup | demo | test | lint | types | completions | docs | bench. Each sets up what it needs by itself.

PYTHON ?= python3
BIN := .venv/bin
BUILD := build

.PHONY: setup demo test lint types completions docs bench clean

setup: .venv/.ready

# torch goes in first and exactly: a bare `torch` would pull gigabytes of CUDA packages
.venv/.ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "dmn needs Python 3.11 or newer: make PYTHON=python3.11 …")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch==2.13.0
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable . hypothesis pyright pytest pytest-xdist ruff
	touch $@

demo: setup
	rm -rf $(BUILD)/demo
	$(BIN)/dmn prepare story --tasks 1,2 --questions 5000 --out $(BUILD)/demo/data
	$(BIN)/dmn train $(BUILD)/demo/data --out $(BUILD)/demo/run
	$(BIN)/dmn eval $(BUILD)/demo/run $(BUILD)/demo/data
	$(BIN)/dmn ask $(BUILD)/demo/run --story docs/story.txt --question "Where is the football?" --why
