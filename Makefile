# Everything is a target, and each sets up what it needs by itself.
#
#   make demo         make stories, train on them, measure, and ask one question with its reasons
#   make demo-model   train the small model that comes with dmn (dmn ask demo) anew: ten minutes
#   make test         the tests
#   make fuzz         100,000 files that mean harm, by every door that files come in by: half an hour
#   make test-triton  the tests of the kernels for GPUs, which need Triton and no GPU
#   make lint types   ruff and pyright
#   make dist         build the wheel and the sdist, install the wheel in an empty venv, and try it there
#   make audit        look for known vulnerabilities of the pinned packages; asks the advisory service
#   make docs         write docs/cli.md and completions/ anew from the program's own help, and the tables of results
#   make faults       kill trainings at random moments, resume them, compare; KILLS=60 of them at most, MINUTES=30, SEED=1
#   make bench        speed of training and answering, next to its floors, the plain loops and torch.nn.GRU, in one run
#   make bench-gpu    the same on a GPU, which takes a torch that can
#   make two-machines two torchrun agents train together, one of them is killed and comes back: docs/scaling.md
#   make growth       time and memory as facts, questions and passes grow: docs/growth.svg
#   make bench-stream lines a second of dmn ask --batch; BEFORE=src of another checkout to compare with
#   make soak         LINES=1000000 through dmn ask --batch: as many must come out, and memory must not grow
#   make results-babi the whole of bAbI, one model a task, from the archive to the tables; goes on where it stopped;
#                     ROWS='--rows "en-10k;joint, en-10k" --seeds 1' for other rows of tools/babi_results.py
#   make results-seeds    ten seeds of the tasks of en-10k that vary the most; goes on where it stopped
#   make results-world, results-lengths    what the story world is worth, and how accuracy falls with length
#   make results-text     sentiment, classes, tags, few labels: ours and its peers on the same splits; goes on where it stopped;
#                     SHARED=folder of the data; ROWS='--rows "trec/*;*/NB-SVM" --seeds 1' for some of them
#   make results-systems  systems to compare with, side by side, each as its paper has it; goes on where it stopped;
#                     SHARED=folder of the data; ROWS='--systems rntn,drnn --seeds 1' for some of those for sentiment,
#                     MEMORY='--rows memnn --tasks 1,2 --seeds 1' for some of the memory networks on bAbI,
#                     PICTURES='--rows sort-of-clevr --seeds 1' for some of those for pictures
#   make results-pictures the last of these alone
#   make results-joint    one model of many tasks; SHARED=folder of the data

PYTHON ?= python3
BABI ?= ../shared/data/babi/tasks_1-20_v1-2.tar.gz
SHARED ?= ../shared/data
KILLS ?= 60
MINUTES ?= 30
SEED ?= 1
BIN := .venv/bin
BUILD := build
LINES ?= 1000000

.PHONY: setup demo demo-model test fuzz test-triton lint types dist audit completions docs faults bench bench-gpu two-machines growth bench-stream soak results-babi results-seeds results-world results-lengths results-text results-systems results-pictures results-joint clean

setup: .venv/.ready

# torch goes in first and exactly: a newer one may pull gigabytes of CUDA packages
.venv/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("dmn needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch==2.13.0
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[onnx,plot]' hypothesis pyright pytest pytest-xdist ruff selenium
	touch $@

demo: setup
	rm -rf $(BUILD)/demo
	$(BIN)/dmn prepare story --tasks 1,2 --questions 5000 --out $(BUILD)/demo/data
	$(BIN)/dmn train $(BUILD)/demo/data --out $(BUILD)/demo/run --epochs 12
	$(BIN)/dmn eval $(BUILD)/demo/run $(BUILD)/demo/data
	$(BIN)/dmn ask $(BUILD)/demo/run --story docs/story.txt --question "Where is the football?" --why

demo-model: setup
	rm -rf $(BUILD)/demo-model
	$(BIN)/dmn prepare story --tasks 1,2,5,6,9 --questions 5000 --out $(BUILD)/demo-model/data
	OMP_NUM_THREADS=1 $(BIN)/dmn train $(BUILD)/demo-model/data --out $(BUILD)/demo-model/run --device cpu --set training.parts=1
	$(BIN)/dmn eval $(BUILD)/demo-model/run $(BUILD)/demo-model/data --fail-under mean=0.98
	rm -rf src/dmn_cli/demo/model
	cp -R $(BUILD)/demo-model/run/model src/dmn_cli/demo/model

test: setup
	$(BIN)/python -m pytest --numprocesses 2 --quiet

fuzz: setup
	OMP_NUM_THREADS=1 $(BIN)/python tools/fuzz.py

test-triton: setup
	$(BIN)/python -m pip install --quiet --constraint constraints.txt triton
	$(BIN)/python -m pytest --quiet tests/kernels/test_recurrence_triton.py

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/pyright

# hatchling builds within .venv, so that its version is pinned too; the wheel is built from the sdist
dist: setup
	rm -rf $(BUILD)/dist
	$(BIN)/python -m pip install --quiet --constraint constraints.txt build hatchling
	$(BIN)/python -m build --no-isolation --outdir $(BUILD)/dist
	$(PYTHON) -m venv $(BUILD)/dist/venv
	$(BUILD)/dist/venv/bin/python -m pip install --quiet --constraint constraints.txt torch==2.13.0
	$(BUILD)/dist/venv/bin/python -m pip install --quiet --constraint constraints.txt $(BUILD)/dist/*.whl
	$(BIN)/python tools/try_dist.py $(BUILD)/dist $(BUILD)/dist/venv/bin/python

# in a venv of its own, since what it needs isn't what dmn needs
audit:
	test -x $(BUILD)/audit/bin/pip-audit || { $(PYTHON) -m venv $(BUILD)/audit && $(BUILD)/audit/bin/python -m pip install --quiet pip-audit; }
	$(BUILD)/audit/bin/pip-audit --strict --no-deps --disable-pip --requirement constraints.txt

completions docs: setup
	$(BIN)/python tools/completions.py
	$(BIN)/python tools/cli_reference.py
	$(BIN)/python tools/summary.py

faults: setup
	OMP_NUM_THREADS=1 $(BIN)/python tools/faults.py $(BUILD)/faults --kills $(KILLS) --minutes $(MINUTES) --seed $(SEED)

bench: setup
	$(BIN)/python -m benchmarks --shared $(SHARED)

bench-gpu: setup
	$(BIN)/python -m benchmarks --shared $(SHARED) --device cuda

two-machines: setup
	$(BIN)/python tools/two_machines.py $(BUILD)/two-machines

growth: setup
	$(BIN)/python -m benchmarks growth --out docs/growth.svg

bench-stream: setup
	$(BIN)/python -m benchmarks stream $(if $(BEFORE),--before $(BEFORE))

soak: setup
	$(BIN)/python tools/soak.py --lines $(LINES)

results-babi: setup
	$(BIN)/python tools/babi_results.py $(BABI) $(BUILD)/results-babi $(ROWS)
	$(BIN)/python tools/summary.py

results-seeds: setup
	$(BIN)/python tools/seed_results.py $(BABI) $(BUILD)/results-babi

results-world: setup
	$(BIN)/python tools/world_results.py twins $(BABI) $(BUILD)/results-world

results-lengths: setup
	$(BIN)/python tools/world_results.py lengths $(BUILD)/results-lengths docs/lengths.svg

results-text: setup
	$(BIN)/python tools/text_results.py $(SHARED) $(BUILD)/results-text $(ROWS)
	$(BIN)/python tools/summary.py

results-systems: setup
	$(BIN)/python tools/sentiment_results.py $(SHARED) $(BUILD)/results-systems $(ROWS)
	$(BIN)/python tools/memory_results.py $(SHARED)/babi/tasks_1-20_v1-2.tar.gz $(BUILD)/results-memory $(MEMORY)
	$(BIN)/python tools/picture_results.py $(SHARED)/vqa/daquar $(BUILD)/results-pictures $(PICTURES)
	$(BIN)/python tools/systems.py

results-pictures: setup
	$(BIN)/python tools/picture_results.py $(SHARED)/vqa/daquar $(BUILD)/results-pictures $(PICTURES)
	$(BIN)/python tools/systems.py

results-joint: setup
	$(BIN)/python tools/joint_results.py $(SHARED) $(BUILD)/results-joint

clean:
	rm -rf $(BUILD) .venv .pytest_cache .ruff_cache
