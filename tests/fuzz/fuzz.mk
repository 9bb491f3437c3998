# The fuzzers: one program of clang's libFuzzer with all targets (tests/fuzz/targets.h). The product's portable sources
# stand in an archive: of them is linked what a target needs. GCC with its warnings judges the same sources.

FUZZ_CXX ?= clang++-19
FUZZ := $(BUILD)/fuzz
FUZZ_CXXFLAGS := -std=c++23 -O1 -g -fsanitize=address,fuzzer-no-link -fno-sanitize-coverage=trace-cmp -fno-omit-frame-pointer -fno-strict-aliasing \
  -fno-threadsafe-statics -fno-exceptions -w -I. -MMD -MP
FUZZ_PRODUCT := $(PORTABLE:%.cc=$(FUZZ)/%.o)
FUZZ_OBJECTS := $(patsubst %.cc,$(FUZZ)/%.o,$(filter-out %_test.cc tests/fuzz/simulated_machine.cc,$(wildcard tests/fuzz/*.cc)))

$(FUZZ)/%.o: %.cc
	@mkdir -p $(@D)
	@echo "  FUZZ  $<"
	@$(FUZZ_CXX) $(FUZZ_CXXFLAGS) -c $< -o $@

$(FUZZ)/product.a: $(FUZZ_PRODUCT)
	@rm -f $@
	@ar rcs $@ $^

$(FUZZ)/fuzzer: $(FUZZ_OBJECTS) $(FUZZ)/product.a
	@echo "  LINK  $@"
	@$(FUZZ_CXX) -fsanitize=address,fuzzer -o $@ $^

.PHONY: fuzzer
fuzzer: $(FUZZ)/fuzzer

-include $(FUZZ_OBJECTS:.o=.d) $(FUZZ_PRODUCT:.o=.d)
