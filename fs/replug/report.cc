#include "fs/replug/report.h"

#include <algorithm>
#include <charconv>

#include "fs/replug/replugd.h"
#include "hal/clock.h"
#include "hal/log.h"

namespace checkpoint {

namespace {

constexpr const char* state_names[] = {"none",   "live",     "absent", "verify",
                                       "replay", "conflict", "dead"};

// `"BACKUP" (serial AB12)`: what stands on the stick, as far as it says.
std::array<char, 112> describe(const media_identity& identity) {
  std::array<char, 112> text{};
  text_sink out(text);
  out.print("\"%s\"", identity.product[0] ? identity.product.data() : "USB stick");
  if (identity.serial[0]) out.print(" (serial %s)", identity.serial.data());
  return text;
}

const char* plural(u32 count) { return count == 1 ? "" : "s"; }

i64 seconds_left(const volume& v) {
  const instant end = expires_at(v);
  return end == never ? -1 : std::max<i64>(0, ((end - now()) + 999_ms).seconds());
}

u32 blocks_of(const volume& v, const file_note& file) {
  u32 blocks = 0;
  for (const slot& s : v.set)
    if (s.owner == file.inode && s.dev == file.dev) ++blocks;
  return blocks;
}

// Whose blocks stand in the set, a line for each file, and one for the rest.
void name_files(const volume& v, const char* label) {
  u32 told = 0;
  for (u32 i = 0; i < v.nr_files; ++i) {
    const u32 count = blocks_of(v, v.files[i]);
    if (count > 0)
      printk("%s: %s (%u block%s)\n", label, v.files[i].path.data(), count, plural(count));
    told += count;
  }
  if (const u32 rest = held_blocks(v) - told)
    printk("%s: %u block%s of directories and of the file system itself\n", label, rest,
           plural(rest));
}

}  // namespace

void report_missed(const volume& v) {
  const auto name = describe(v.identity);
  const u32 blocks = held_blocks(v);
  const i64 left = seconds_left(v);
  if (left < 0)
    return printk("Replug %s: it is in use, nothing is waiting to be written\n", name.data());
  printk("Replug %s: %u block%s %s waiting for it, %d:%02d left\n", name.data(), blocks,
         plural(blocks), blocks == 1 ? "is" : "are", static_cast<int>(left / 60),
         static_cast<int>(left % 60));
}

void report_return(const volume& v, u32 blocks, duration took) {
  const auto name = describe(v.identity);
  const int ms = static_cast<int>(took.milliseconds());
  printk("%s is back as %s: %u block%s written in %d.%03d s, nothing is lost\n", name.data(),
         disk_name(v.disk).data(), blocks, plural(blocks), ms / 1000, ms % 1000);
}

void report_loss(const volume& v) {
  const auto name = describe(v.identity);
  const u32 blocks = held_blocks(v);
  if (blocks == 0) return printk("%s was given up; nothing is lost\n", name.data());
  printk("LOST: %s %s: %u block%s given up\n", name.data(),
         away(v) ? "did not come back" : "cannot be written", blocks, plural(blocks));
  name_files(v, "LOST");
}

void report_waiting(const volume& v) {
  const auto name = describe(v.identity);
  const u32 blocks = held_blocks(v);
  const char* const why = v.state == volume_state::conflict ? "was changed elsewhere"
                          : away(v)                         ? "is away"
                                                            : "cannot be written";
  if (blocks == 0)
    return printk("The machine stays on: %s %s, and a program is writing to it\n", name.data(),
                  why);
  printk("The machine stays on: %s %s, and %u block%s wait%s for it\n", name.data(), why, blocks,
         plural(blocks), blocks == 1 ? "s" : "");
  name_files(v, "Waiting");
}

void report_conflict(const volume& v, const block_device& device) {
  printk(
      "%s was changed elsewhere while it was away: nothing is written to it. "
      "`ckpt force %s` writes our blocks, `ckpt drop %s` gives them up\n",
      describe(device.identity).data(), disk_name(v.disk).data(), disk_name(v.disk).data());
}

void report_stranger(const volume& v, const block_device& device, const char* difference) {
  const auto missed_one = describe(v.identity);
  printk("%s is not the missing %s: its %s\n", describe(device.identity).data(), missed_one.data(),
         difference);
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

namespace {

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
  media_settings_changed();
  return {};
}

result<volume*> volume_named(std::string_view name) {
  if (name.starts_with("/dev/")) name.remove_prefix(5);
  for (volume& v : all_volumes())
    if (v.state != volume_state::none && name == disk_name(v.disk).data()) return &v;
  return fail(error::enxio);
}

}  // namespace

result<void> execute_command(std::string_view line) {
  const std::string_view verb = next_word(line);
  const std::string_view object = next_word(line);
  if (!next_word(line).empty()) return fail(error::einval);
  if (verb == "hold") return set_time(current_settings().hold, object);
  if (verb == "io_wait") return set_time(current_settings().io_wait, object);
  if (verb == "drop") return drop_volume(*TRY(volume_named(object)));
  if (verb == "force") return force_volume(*TRY(volume_named(object)));
  return fail(error::einval);
}

}  // namespace checkpoint
