#include "fs/replug/info_files.h"

#include <algorithm>
#include <charconv>

#include "drivers/char/info_device.h"
#include "fs/checkpoint/settings.h"
#include "fs/checkpoint/volume.h"
#include "fs/replug/replugd.h"
#include "fs/replug/report.h"

namespace checkpoint {

namespace {

constexpr const char* state_names[] = {"none",   "live",   "degraded", "absent",
                                       "verify", "replay", "conflict", "dead"};

std::string_view next_word(std::string_view& line) {
  const size_t start = std::min(line.find_first_not_of(" \t\n"), line.size());
  line.remove_prefix(start);
  const size_t end = std::min(line.find_first_of(" \t\n"), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(end);
  return word;
}

result<void> set_time(duration& time, std::string_view value) {
  u32 number = 0;
  const auto [end, failure] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (failure != std::errc{} || end != value.data() + value.size()) return fail(error::einval);
  time = seconds(number);
  times_changed();
  return {};
}

result<volume*> volume_named(std::string_view name) {
  if (name.starts_with("/dev/")) name.remove_prefix(5);
  for (volume& v : all_volumes())
    if (v.state != volume_state::none && name == disk_name(v.disk).data()) return &v;
  return fail(error::enxio);
}

}  // namespace

void info_files_init() {
  register_info(abi::info_file::ckpt, print_volumes, execute_command);
  register_info(abi::info_file::disks, print_disks);
}

void print_volumes(text_sink& out) {
  for (const volume& v : all_volumes()) {
    if (v.state == volume_state::none) continue;
    const auto name = describe(v.identity);
    out.print("%-4s %-8s %6u held", disk_name(v.disk).data(), state_names[static_cast<u8>(v.state)],
              held_blocks(v));
    const i64 left = seconds_left(v);
    if (left >= 0) out.print(" %5d s left", static_cast<int>(left));
    out.print("  %s\n", name.data());
  }
}

void print_disks(text_sink& out) {
  for (const volume& v : all_volumes()) {
    if (v.state == volume_state::none) continue;
    for (u8 n = 0; n < MINORS_PER_DISK; ++n) {
      const partition& p = v.partitions[n];
      if (p.sectors == 0) continue;
      const dev_id dev(MAJOR_DISK, static_cast<u8>(v.disk.minor() + n));
      out.print("%-6s %8u KiB  %-8s", disk_name(dev).data(), p.sectors / SECTORS_PER_BLOCK,
                n == 0 ? state_names[static_cast<u8>(v.state)] : "");
      if (n == 0)
        out.print("  %s\n", describe(v.identity).data());
      else
        out.print("  type %02x, from sector %u\n", p.type, p.first.value());
    }
  }
}

result<void> execute_command(std::string_view line) {
  const std::string_view verb = next_word(line);
  const std::string_view object = next_word(line);
  if (!next_word(line).empty()) return fail(error::einval);
  if (verb == "hold") return set_time(current_settings().hold, object);
  if (verb == "io_wait") return set_time(current_settings().io_wait, object);
  if (verb == "drop") return drop_volume(*TRY(volume_named(object)));
  if (verb == "keep") return keep_volume(*TRY(volume_named(object)));
  if (verb == "force") return force_volume(*TRY(volume_named(object)));
  return fail(error::einval);
}

}  // namespace checkpoint
