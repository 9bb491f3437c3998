# Replug. `make help` lists what there is to do.
#
# One source, two builds: the kernel (freestanding, i386) and the host tests (native, with sanitizers).
# The files of every room are found by themselves; the parts with rules of their own are included:
#   user/user.mk       the programs on the root disk          tests/host.mk   the host tests
#   tests/fuzz/fuzz.mk  the fuzzers
#   tools/commands.mk  run, demo, test, debug, doctor, help

BUILD ?= build
CROSS_COMPILE ?= i686-linux-gnu-
KERNEL_CXX := $(CROSS_COMPILE)g++
NASM ?= nasm
PYTHON := /usr/bin/python3
MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:
.SECONDARY:

.PHONY: all
all: $(BUILD)/replug.elf

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor -Werror
LANGUAGE := -std=c++23 -fno-exceptions -fno-rtti -fno-threadsafe-statics
KERNEL_CXXFLAGS := $(LANGUAGE) $(WARNINGS) -O2 -g -m32 -march=i686 -mno-sse -mno-mmx -ffreestanding \
  -fno-pic -fno-pie -fno-stack-protector -fno-omit-frame-pointer -fno-optimize-sibling-calls \
  -fno-asynchronous-unwind-tables -fcf-protection=none -fno-strict-aliasing -ffunction-sections -I. -MMD -MP

PORTABLE := $(wildcard lib/*.cc drivers/*/*.cc drivers/usb/*/*.cc fs/*.cc fs/checkpoint/*.cc fs/buffer/*.cc fs/replug/*.cc)
KERNEL_ONLY := $(wildcard mm/*.cc kernel/*.cc kernel/i386/*.cc)
KERNEL_ASM := $(wildcard boot/*.asm kernel/i386/*.asm)
KERNEL_OBJECTS := $(patsubst %,$(BUILD)/kernel/%.o,$(KERNEL_ASM) $(PORTABLE) $(KERNEL_ONLY))

$(BUILD)/kernel/%.cc.o: %.cc
	@mkdir -p $(@D)
	@echo "  C++   $<"
	@$(KERNEL_CXX) $(KERNEL_CXXFLAGS) -c $< -o $@

$(BUILD)/kernel/%.asm.o: %.asm
	@mkdir -p $(@D)
	@echo "  NASM  $<"
	@$(NASM) -f elf32 -g -F dwarf -I. -DKERNEL_BASE=$(KERNEL_BASE) -MD $(@:.o=.d) $< -o $@

# Compiles everything of the kernel without linking it.
.PHONY: objects
objects: $(KERNEL_OBJECTS)

include user/user.mk
include tests/host.mk
include tests/fuzz/fuzz.mk
include tools/commands.mk
include kernel/kernel.mk

.PHONY: clean
clean:
	rm -rf $(BUILD)

-include $(KERNEL_OBJECTS:.o=.d)
