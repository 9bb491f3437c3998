# The link of build/replug.elf, in two passes: the second adds the table of function names that
# backtraces print, made from the first.

# mm/layout.h says where the kernel stands; linker.ld and the assembler's sources are told.
KERNEL_BASE := $(shell sed -n "s/^constexpr u32 KERNEL_BASE = \([^;]*\);.*/\1/p" mm/layout.h | tr -d "'")
$(patsubst %,$(BUILD)/kernel/%.o,$(KERNEL_ASM)): mm/layout.h

KERNEL_LINK := $(KERNEL_CXX) -m32 -nostdlib -static -no-pie -Wl,-T,linker.ld -Wl,--build-id=none \
  -Wl,--gc-sections -Wl,-z,noexecstack -Wl,--defsym=KERNEL_BASE=$(KERNEL_BASE)
SYMBOLS := $(BUILD)/kernel/symbols

$(BUILD)/replug.elf: $(KERNEL_OBJECTS) linker.ld mm/layout.h tools/symbols.py kernel/kernel.mk
	@echo "  LINK  $@"
	@$(PYTHON) tools/symbols.py /dev/null $(SYMBOLS).asm
	@$(NASM) -f elf32 $(SYMBOLS).asm -o $(SYMBOLS).o
	@$(KERNEL_LINK) $(KERNEL_OBJECTS) $(SYMBOLS).o -lgcc -o $(SYMBOLS).elf
	@$(CROSS_COMPILE)nm --numeric-sort --demangle $(SYMBOLS).elf >$(SYMBOLS).txt
	@$(PYTHON) tools/symbols.py $(SYMBOLS).txt $(SYMBOLS).asm
	@$(NASM) -f elf32 $(SYMBOLS).asm -o $(SYMBOLS).o
	@$(KERNEL_LINK) $(KERNEL_OBJECTS) $(SYMBOLS).o -lgcc -o $@

# The root disk is part of the kernel's file.
$(BUILD)/kernel/boot/root_image.asm.o: boot/root_image.asm $(BUILD)/root.img
	@echo "  NASM  $<"
	@mkdir -p $(@D)
	@$(NASM) -f elf32 -I$(BUILD)/ $< -o $@
