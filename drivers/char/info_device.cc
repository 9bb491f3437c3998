// Info files: see info_device.h. A read writes the whole text into one buffer and hands out the
// part at the file's position. Nothing sleeps in between, so all files share the buffer.
#include "drivers/char/info_device.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "drivers/char/char_device.h"
#include "hal/memory.h"
#include "hal/panic.h"

namespace {

constexpr u32 TEXT_PAGES = 16;
constexpr u32 LINE_MAX = 256;

struct info_entry {
  info_text text = nullptr;
  info_command command = nullptr;
};
std::array<info_entry, 16> entries;
std::span<byte> buffer;

bool info_has(u8 minor) { return minor < entries.size() && entries[minor].text; }

result<u32> info_read(u8 minor, std::span<byte> to, u32 position, u32) {
  const info_entry& entry = entries[minor];
  text_sink out(std::span(reinterpret_cast<char*>(buffer.data()), buffer.size()));
  entry.text(out);
  const std::string_view text = out.text();
  if (position >= text.size()) return 0;
  const size_t length = std::min(to.size(), text.size() - position);
  std::memcpy(to.data(), text.data() + position, length);
  return static_cast<u32>(length);
}

// One write is one or more whole lines. The lines are copied: commands may sleep.
result<u32> info_write(u8 minor, std::span<const byte> from, u32, u32) {
  const info_entry& entry = entries[minor];
  if (!entry.command) return fail(error::einval);
  if (from.size() >= LINE_MAX) return fail(error::e2big);
  std::array<char, LINE_MAX> lines;
  std::memcpy(lines.data(), from.data(), from.size());
  std::string_view rest(lines.data(), from.size());
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    if (!line.empty()) TRY(entry.command(line));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
  }
  return static_cast<u32>(from.size());
}

constexpr char_device info_device = {.read = info_read, .write = info_write, .has = info_has};

}  // namespace

void register_info(abi::info_file file, info_text text, info_command command) {
  entries[static_cast<u8>(file)] = {text, command};
}

void info_init() {
  buffer = allocate_pages(TEXT_PAGES);
  kassert(!buffer.empty());
  register_char_device(abi::major_info, info_device);
}
