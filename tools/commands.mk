# What can be done with Replug from the host: see `make help`. Included by the Makefile.
#
# A comment "## …" behind a target is its line in `make help`.

ROOT_TOOLS := tools/mkroot.py tools/minix.py tools/devices.table
RUN := BUILD=$(BUILD) CROSS_COMPILE=$(CROSS_COMPILE) $(PYTHON) tools/run.py
DOCTOR := CROSS_COMPILE=$(CROSS_COMPILE) sh tools/doctor.sh

# The build, from within a recipe: after the doctor, on all processors unless -j was given.
JOBS := $(shell nproc 2>/dev/null || echo 1)
BUILD_ALL = $(MAKE) -s --no-print-directory $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(JOBS)) all

# Options of run and debug: make run APPEND="buffers=64" MACHINE=q35 MEMORY=32M …
RUN_OPTIONS = $(if $(STICK),--stick "$(STICK)") $(if $(APPEND),--append "$(APPEND)") \
  $(if $(MACHINE),--machine $(MACHINE)) $(if $(MEMORY),--memory $(MEMORY)) \
  $(if $(CONTROLLER),--controller $(CONTROLLER)) $(if $(QEMU_OPTIONS),--qemu "$(QEMU_OPTIONS)")

# The root disk; user/user.mk makes the tree. An image that would be the same is left alone.
$(BUILD)/root.img: $(BUILD)/root.stamp $(ROOT_TOOLS)
	@echo "  ROOT  $@"
	@$(PYTHON) tools/mkroot.py $(BUILD)/root tools/devices.table $@

.PHONY: run pull plug debug debug-server debug-end console demo test calls soak mutants fuzz bench lint doctor help
run:  ## boots in this terminal, with a stick; Ctrl-] p pulls it (STICK=image APPEND=options MACHINE=q35)
	@$(DOCTOR) --quiet build demo
	@+$(BUILD_ALL)
	@$(RUN) run $(RUN_OPTIONS)

pull:  ## pulls the stick of the `make run` in another terminal
	@$(RUN) pull

plug:  ## plugs it in again (PORT=1 to 8; 5 to 8 are high speed)
	@$(RUN) plug $(if $(PORT),--port $(PORT))

debug:  ## QEMU stopped at its first instruction, gdb attached
	@$(DOCTOR) --quiet build debug
	@+$(BUILD_ALL)
	@$(RUN) debug $(RUN_OPTIONS)

debug-server:
	@echo Building
	@+$(BUILD_ALL)
	@$(RUN) debug --server $(RUN_OPTIONS)

debug-end:
	@$(RUN) debug-end

console:  ## the console of the `make debug` in another terminal
	@$(RUN) console

demo:  ## the main job, unattended: write, pull, plug, nothing lost
	@$(DOCTOR) --install build demo
	@+$(BUILD_ALL)
	@BUILD=$(BUILD) $(PYTHON) tools/demo.py

test:  ## all tests, on the host and in QEMU; ends with "N passed, N failed"
	@$(DOCTOR) --install build test
	@BUILD=$(BUILD) CROSS_COMPILE=$(CROSS_COMPILE) $(PYTHON) tools/test.py

mutants:  ## makes small wrong changes and shows that a test notices (SEED=7 N=100 ROOM=fs MUTANT=name)
	@BUILD=$(BUILD) MUTANT="$(MUTANT)" SEED=$(SEED) N=$(N) ROOM=$(ROOM) $(PYTHON) tools/mutants.py

fuzz: fuzzer  ## hostile descriptors, SCSI data, partition tables and MINIX images (TARGET=name RUNS=N SEED=N PLANTED=1)
	@BUILD=$(BUILD) TARGET=$(TARGET) RUNS=$(RUNS) SEED=$(SEED) PLANTED=$(PLANTED) $(PYTHON) tools/fuzz.py

calls:  ## the same random system calls here and on Linux, compared line by line (SEEDS=1-100)
	@$(DOCTOR) --quiet build test
	@+$(BUILD_ALL)
	@BUILD=$(BUILD) $(PYTHON) tools/differ.py $(if $(SEEDS),--seeds $(SEEDS))

soak:  ## random programs on sticks that are pulled again and again, until ^C (SEEDS=7-9 PULLS=10000 JOBS=1)
	@$(DOCTOR) --install build test
	@+$(BUILD_ALL)
	@BUILD=$(BUILD) SEEDS="$(SEEDS)" PULLS="$(PULLS)" GO_ON="$(GO_ON)" TWINS="$(TWINS)" JOBS=$(JOBS) $(PYTHON) tools/soak.py

bench:  ## measures this kernel and Linux side by side (BENCH=quick; PROFILE=phase: where time goes)
	@$(DOCTOR) --install build demo bench
	@+$(BUILD_ALL)
	@BUILD=$(BUILD) BENCH=$(BENCH) $(PYTHON) tools/bench.py $(if $(PROFILE),--profile $(PROFILE)) \
	  $(if $(APPEND),--append "$(APPEND)")

lint:  ## layers, headers, citations, plain words, formatting
	@BUILD=$(BUILD) CROSS_COMPILE=$(CROSS_COMPILE) $(PYTHON) tools/lint.py

doctor:  ## says what is missing on this machine or too old, and how to get it
	@$(DOCTOR) build demo test debug bench

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | sort | \
	  while IFS="$$(printf '\t')" read -r target text; do printf '  make %-9s %s\n' "$$target" "$$text"; done
