# The host tests: the product's portable sources and tests/ in one native program, with sanitizers.
#
# `make host-test` builds and runs it. tests/sim/ holds the host's bodies of hal/*.h; kernel_state.ld
# gathers the product's variables so that every test can begin with a freshly booted kernel.

HOST_CXX ?= g++
HOST_LINKER ?=
HOST := $(BUILD)/host
HOST_CHECKS ?= -O1 -fsanitize=address,undefined
HOST_CXXFLAGS := -std=c++23 $(WARNINGS) -g $(HOST_CHECKS) -fno-sanitize-recover=all -fno-omit-frame-pointer -I. -MMD -MP
# As in the kernel, but with the type information that the tests' derived classes refer to.
HOST_PRODUCT_CXXFLAGS := $(HOST_CXXFLAGS) -fno-exceptions -fno-threadsafe-statics -fno-strict-aliasing

# The tests themselves: GoogleTest's macros are most of what the compiler meets, and no bug of theirs is looked
# for. Their objects are linked last, so that of an inline function the product's own copy is taken.
COMMA := ,
HOST_TEST_CXXFLAGS := $(subst -O1,-O0,$(subst $(COMMA)undefined,,$(HOST_CXXFLAGS)))

HOST_PRODUCT_OBJECTS := $(patsubst %.cc,$(HOST)/product/%.o,$(PORTABLE))
HOST_ROOMS := sim sim/xhci lib drivers drivers/block drivers/char drivers/usb drivers/usb/* drivers/pci fs fs/checkpoint fs/checkpoint/alone fs/buffer fs/replug fuzz
# The machine of the fuzzers (tests/fuzz/fuzz.mk) takes the place of the simulated one.
FUZZ_MACHINE := tests/fuzz/machine.cc tests/fuzz/libfuzzer.cc
HOST_TESTS ?= $(sort $(filter-out $(FUZZ_MACHINE),$(wildcard $(HOST_ROOMS:%=tests/%/*.cc))))
HOST_TEST_OBJECTS := $(HOST_TESTS:%.cc=$(HOST)/%.o)
HOST_TEST_PROGRAM := $(HOST)/replug_tests

$(HOST)/product/%.o: %.cc
	@mkdir -p $(@D)
	@echo "  HOST  $<"
	@$(HOST_CXX) $(HOST_PRODUCT_CXXFLAGS) -c $< -o $@

$(HOST)/tests/%_test.o: tests/%_test.cc
	@mkdir -p $(@D)
	@echo "  HOST  $<"
	@$(HOST_CXX) $(HOST_TEST_CXXFLAGS) -include tests/sim/gtest.h -c $< -o $@

$(HOST)/tests/%.o: tests/%.cc
	@mkdir -p $(@D)
	@echo "  HOST  $<"
	@$(HOST_CXX) $(HOST_CXXFLAGS) -include tests/sim/gtest.h -c $< -o $@

$(HOST_TEST_PROGRAM): $(HOST_PRODUCT_OBJECTS) $(HOST_TEST_OBJECTS) tests/sim/kernel_state.ld
	@echo "  LINK  $@"
	@$(HOST_CXX) $(HOST_CXXFLAGS) $(HOST_LINKER) -o $@ $(filter %.o,$^) -Wl,-T,tests/sim/kernel_state.ld \
	  -lgtest_main -lgtest -lpthread

# The checkpoint without what is above it: if it needed the cache or the file system, this would not link.
ALONE_PROGRAM := $(HOST)/checkpoint_tests
ALONE_OBJECTS := $(patsubst %.cc,$(HOST)/product/%.o,$(wildcard lib/*.cc drivers/block/*.cc fs/checkpoint/*.cc)) \
  $(patsubst %.cc,$(HOST)/%.o,$(filter-out %_test.cc tests/sim/scsi_target.cc,$(wildcard tests/sim/*.cc)) \
    $(wildcard tests/fs/checkpoint/alone/*.cc))

$(ALONE_PROGRAM): $(ALONE_OBJECTS) tests/sim/kernel_state.ld
	@echo "  LINK  $@"
	@$(HOST_CXX) $(HOST_CXXFLAGS) $(HOST_LINKER) -o $@ $(filter %.o,$^) -Wl,-T,tests/sim/kernel_state.ld \
	  -lgtest_main -lgtest -lpthread

# kernel/ and mm/ with the rooms below them on a simulated PC (tests/pc/machine.h): a program of 32 bits, as the
# kernel is. It stands above the kernel's direct map and below the host's libraries, so that all addresses of the
# simulated machine are free.
PC := $(HOST)/pc
PC_CXXFLAGS := -std=c++23 $(WARNINGS) -O1 -g -march=i686 -D_GLIBCXX_ASSERTIONS -fsanitize=undefined -fno-sanitize=vptr \
  -fsanitize-undefined-trap-on-error -fno-omit-frame-pointer -fno-pie -fno-strict-aliasing -I. -MMD -MP
PC_LINK := -static -no-pie -Wl,-Ttext-segment=0xA0000000 -Wl,-z,noexecstack -Wl,--defsym=getaddrinfo=0,--defsym=freeaddrinfo=0
# A call before every access to memory: tests/pc/races.h.
PC_HOOKS := -fsanitize=thread --param tsan-instrument-func-entry-exit=0
GTEST_SOURCES ?= /usr/src/googletest/googletest
# The files of the machine itself that hold no instruction of it.
PC_MACHINE := kernel/i386/traps.cc kernel/i386/task_switch.cc kernel/i386/backtrace.cc \
  kernel/i386/user_backtrace.cc kernel/i386/signal_frame.cc
PC_PRODUCT := $(PORTABLE) $(filter-out kernel/main.cc,$(wildcard mm/*.cc kernel/*.cc)) $(PC_MACHINE)
PC_TESTS := $(wildcard tests/pc/*.cc tests/mm/*.cc tests/kernel/*.cc) tests/sim/kernel_state.cc tests/fs/minix_image.cc
PC_OBJECTS := $(PC_PRODUCT:%.cc=$(PC)/product/%.o) $(PC_TESTS:%.cc=$(PC)/%.o) $(PC)/processor.o
PC_TEST_PROGRAM := $(HOST)/kernel_tests

$(PC)/product/%.o: %.cc
	@mkdir -p $(@D)
	@echo "  PC    $<"
	@$(KERNEL_CXX) $(PC_CXXFLAGS) $(PC_HOOKS) -fno-exceptions -fno-rtti -fno-threadsafe-statics -c $< -o $@

$(PC)/tests/%.o: tests/%.cc
	@mkdir -p $(@D)
	@echo "  PC    $<"
	@$(KERNEL_CXX) $(PC_CXXFLAGS) -isystem $(GTEST_SOURCES)/include -include tests/sim/gtest.h -c $< -o $@

$(PC)/processor.o: tests/pc/processor.asm
	@mkdir -p $(@D)
	@echo "  NASM  $<"
	@$(NASM) -f elf32 -g -F dwarf $< -o $@

# GoogleTest for 32 bits. A static program cannot look up host names: the part that would is never called.
$(PC)/gtest/%.o: $(GTEST_SOURCES)/src/%.cc
	@mkdir -p $(@D)
	@echo "  PC    $<"
	@$(KERNEL_CXX) -std=c++23 -O1 -fno-pie -I$(GTEST_SOURCES) \
	  -I$(GTEST_SOURCES)/include -c $< -o $@

$(PC_TEST_PROGRAM): tests/pc/run_kernel_tests $(PC_TEST_PROGRAM).elf
	@cp $< $@

$(PC_TEST_PROGRAM).elf: $(PC_OBJECTS) $(PC)/gtest/gtest-all.o $(PC)/gtest/gtest_main.o tests/sim/kernel_state.ld
	@echo "  LINK  $@"
	@$(KERNEL_CXX) $(PC_LINK) -o $@ $(filter %.o,$^) -Wl,-T,tests/sim/kernel_state.ld -lpthread

.PHONY: host-tests host-test
host-tests: $(HOST_TEST_PROGRAM) $(ALONE_PROGRAM) $(PC_TEST_PROGRAM)

# Two halves side by side; each test stands in one of them.
host-test: $(HOST_TEST_PROGRAM) $(ALONE_PROGRAM) $(PC_TEST_PROGRAM)
	@$(ALONE_PROGRAM) --gtest_brief=1
	@tests/run_host_tests $(PC_TEST_PROGRAM) $(FILTER)
	@tests/run_host_tests $(HOST_TEST_PROGRAM) $(FILTER)

.PHONY: proof proof-program
proof: proof-program  ## the whole pull sweep (POINTS=N of each kind; docs/proof.md tells how to spread it)
	@LSAN_OPTIONS=detect_leaks=0 REPLUG_POINTS=$(or $(POINTS),all) tests/run_host_tests $(PROOF_PROGRAM) '*sweep*:*second_pull*'

# Millions of runs: a faster program, with the sweeps alone, and without AddressSanitizer, which `make test` has.
# Of -fsanitize=leak it uses the symbolizer alone (tests/sim/sleeps.h): the other sanitizers have none that works.
PROOF_PROGRAM := $(BUILD)/proof/host/replug_tests
PROOF_CHECKS := -O1 -fsanitize=signed-integer-overflow,bounds,return,unreachable,shift,leak
PROOF_TESTS := $(filter-out %_test.cc,$(HOST_TESTS)) $(filter %_sweep_test.cc,$(HOST_TESTS))
proof-program:
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/proof HOST_CHECKS='$(PROOF_CHECKS)' HOST_TESTS='$(PROOF_TESTS)' \
	  $(PROOF_PROGRAM)

-include $(HOST_PRODUCT_OBJECTS:.o=.d) $(HOST_TEST_OBJECTS:.o=.d) $(PC_OBJECTS:.o=.d)
