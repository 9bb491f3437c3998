# The link of build/replug.elf, in two passes: the second adds the table of function names that
# backtraces print, made from the first.

KERNEL_LINK := $(KERNEL_CXX) -m32 -nostdlib -static -no-pie -Wl,-T,linker.ld -Wl,--build-id=none \
  -Wl,--gc-sections -Wl,-z,noexecstack
SYMBOLS := $(BUILD)/kernel/symbols

$(BUILD)/replug.elf: $(KERNEL_OBJECTS) linker.ld tools/symbols.py kernel/kernel.mk
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
