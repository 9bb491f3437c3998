// libFuzzer's two functions. REPLUG_FUZZ is the name of the target.
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "tests/fuzz/targets.h"

namespace {

const fuzz::target& chosen() {
  static const fuzz::target& found = [] -> const fuzz::target& {
    const char* const name = std::getenv("REPLUG_FUZZ");
    const auto all = fuzz::targets();
    const auto at = std::ranges::find(all, std::string_view(name ? name : ""), &fuzz::target::name);
    if (at == all.end()) {
      std::fputs("REPLUG_FUZZ must name a target (tests/fuzz/targets.h)\n", stderr);
      std::exit(2);
    }
    return *at;
  }();
  return found;
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  chosen().begin();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, size_t size) {
  chosen().run(std::as_bytes(std::span(data, size)));
  return 0;
}
