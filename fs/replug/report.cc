#include "fs/replug/report.h"

#include <algorithm>

#include "hal/clock.h"
#include "hal/log.h"
#include "lib/format.h"

namespace checkpoint {

namespace {

const char* plural(u32 count) { return count == 1 ? "" : "s"; }

u32 blocks_of(const volume& v, const file_note& file) {
  u32 blocks = 0;
  for (const slot& s : v.set)
    if (s.owner == file.inode && s.dev == file.dev) ++blocks;
  return blocks;
}

u32 blocks_of_files(const volume& v) {
  u32 blocks = 0;
  for (const slot& s : v.set)
    if (s.owner != ino_nr{}) ++blocks;
  return blocks;
}

// Whose blocks stand in the set: a line for each file that was noted, one for the other files, and
// one for the rest.
void name_files(const volume& v, const char* label) {
  u32 told = 0;
  for (const file_note& file : v.files.all()) {
    const u32 count = blocks_of(v, file);
    if (count > 0) printk("%s: %s (%u block%s)\n", label, file.path.data(), count, plural(count));
    told += count;
  }
  const u32 of_files = blocks_of_files(v);
  if (const u32 further = of_files - told)
    printk("%s: %u block%s of further files\n", label, further, plural(further));
  if (const u32 rest = held_blocks(v) - of_files)
    printk("%s: %u block%s of directories and of the file system itself\n", label, rest,
           plural(rest));
}

}  // namespace

std::array<char, 112> describe(const media_identity& identity) {
  std::array<char, 112> text{};
  text_sink out(text);
  out.print("\"%s\"", identity.product[0] ? identity.product.data() : "USB stick");
  if (identity.serial[0]) out.print(" (serial %s)", identity.serial.data());
  return text;
}

i64 seconds_left(const volume& v) {
  const instant end = expires_at(v);
  return end == never ? -1 : std::max<i64>(0, ((end - now()) + 999_ms).seconds());
}

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
  if (blocks == 0)  // without shadows pulled() has told the loss
    return printk("%s was given up%s\n", name.data(), shadows_enabled() ? "; nothing is lost" : "");
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
    return printk("The machine stays on: %s %s, and %s\n", name.data(), why,
                  away(v) ? "a program is writing to it" : "a change waits for it");
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

}  // namespace checkpoint
