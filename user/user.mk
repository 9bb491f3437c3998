# The programs on the root disk and their libc.
#
# `make root-tree` fills $(BUILD)/root: /bin /sbin /etc, the book's examples in /book, the test
# programs in /test, empty directories to mount on. The image is made from that tree elsewhere.
# One program is one file user/bin/NAME.cc; the shell, which is larger, is the folder user/bin/sh.

# -Wshadow=local: `struct stat` beside stat() is what the classic names mean.
USER_CXXFLAGS := $(LANGUAGE) $(WARNINGS:-Wshadow=-Wshadow=local) -Os -g -m32 -march=i686 -mno-sse -mno-mmx -ffreestanding \
  -fno-pic -fno-pie -fno-stack-protector -fno-omit-frame-pointer -fno-optimize-sibling-calls \
  -fno-asynchronous-unwind-tables -fcf-protection=none -fno-strict-aliasing \
  -fno-tree-loop-distribute-patterns -ffunction-sections -fdata-sections -Iuser/include -I. -MMD -MP
USER_LDFLAGS := -m32 -nostdlib -static -no-pie -Wl,-T,user/libc/user.ld -Wl,--gc-sections \
  -Wl,--build-id=none -Wl,-z,noexecstack

ROOT := $(BUILD)/root
USER := $(BUILD)/user
LIBC := $(USER)/libc.a
# lib/format.o is the kernel's own: the printf of both is one.
LIBC_OBJECTS := $(patsubst %,$(USER)/%.o,$(wildcard user/libc/*.cc)) $(BUILD)/kernel/lib/format.cc.o
SHELL_OBJECTS := $(patsubst %,$(USER)/%.o,$(wildcard user/bin/sh/*.cc))

SYSTEM_PROGRAMS := init
BIN_PROGRAMS := sh $(filter-out $(SYSTEM_PROGRAMS),$(patsubst user/bin/%.cc,%,$(wildcard user/bin/*.cc)))
BOOK_PROGRAMS := $(patsubst user/book/%.cc,%,$(wildcard user/book/*.cc))
TEST_PROGRAMS := $(patsubst user/tests/%.cc,%,$(wildcard user/tests/*.cc))
ETC_FILES := $(patsubst user/etc/%,%,$(wildcard user/etc/*))

# Everything that is in the tree: an image of it is made elsewhere.
ROOT_FILES := $(BIN_PROGRAMS:%=$(ROOT)/bin/%) $(SYSTEM_PROGRAMS:%=$(ROOT)/sbin/%) $(ROOT)/etc/update \
  $(BOOK_PROGRAMS:%=$(ROOT)/book/%) $(TEST_PROGRAMS:%=$(ROOT)/test/%) $(ETC_FILES:%=$(ROOT)/etc/%)
ROOT_DIRECTORIES := $(addprefix $(ROOT)/,bin sbin etc dev mnt tmp root book test)

.PHONY: root-tree
root-tree: $(BUILD)/root.stamp

# The tree holds these files and no others: what was dropped from the sources goes.
$(BUILD)/root.stamp: $(ROOT_FILES)
	@mkdir -p $(ROOT_DIRECTORIES)
	@for file in $$(find $(ROOT) -type f); do \
	  case " $(ROOT_FILES) " in *" $$file "*) ;; *) rm -f $$file ;; esac; done
	@touch $@

$(USER)/%.cc.o: %.cc
	@mkdir -p $(@D)
	@echo "  C++   $<"
	@$(KERNEL_CXX) $(USER_CXXFLAGS) -c $< -o $@

$(LIBC): $(LIBC_OBJECTS)
	@rm -f $@
	@$(CROSS_COMPILE)ar rcs $@ $^

link_program = @mkdir -p $(@D) && echo "  LINK  $@" && \
  $(KERNEL_CXX) $(USER_LDFLAGS) $(USER)/user/libc/crt0.cc.o $(filter %.o,$^) $(LIBC) -lgcc -o $@
LINK_INPUTS := $(LIBC) user/libc/user.ld

$(USER)/bin/sh: $(SHELL_OBJECTS) $(LINK_INPUTS)
	$(link_program)
$(USER)/bin/%: $(USER)/user/bin/%.cc.o $(LINK_INPUTS)
	$(link_program)
$(USER)/book/%: $(USER)/user/book/%.cc.o $(LINK_INPUTS)
	$(link_program)
$(USER)/test/%: $(USER)/user/tests/%.cc.o $(LINK_INPUTS)
	$(link_program)

# Installed without debug information, but with the names that backtraces print.
install_program = @mkdir -p $(@D) && $(CROSS_COMPILE)strip -g -o $@ $<

$(ROOT)/bin/%: $(USER)/bin/%
	$(install_program)
$(ROOT)/sbin/%: $(USER)/bin/%
	$(install_program)
$(ROOT)/book/%: $(USER)/book/%
	$(install_program)
$(ROOT)/test/%: $(USER)/test/%
	$(install_program)
$(ROOT)/etc/update: $(USER)/bin/update
	$(install_program)
$(ROOT)/etc/%: user/etc/%
	@mkdir -p $(@D) && install -m 755 $< $@

-include $(patsubst %.o,%.d,$(filter $(USER)/%,$(LIBC_OBJECTS)) $(SHELL_OBJECTS)) \
  $(patsubst %,$(USER)/user/bin/%.cc.d,$(filter-out sh,$(BIN_PROGRAMS)) $(SYSTEM_PROGRAMS)) \
  $(BOOK_PROGRAMS:%=$(USER)/user/book/%.cc.d) $(TEST_PROGRAMS:%=$(USER)/user/tests/%.cc.d)
