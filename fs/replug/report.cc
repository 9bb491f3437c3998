#include "fs/replug/report.h"

#include <algorithm>

#include "hal/clock.h"
#include "hal/log.h"
#include "lib/format.h"

namespace checkpoint {

namespace {

// For each doubt.
constexpr std::array reasons{"was changed elsewhere",
                             "was formatted anew elsewhere, or is another stick",
                             "cannot be told from another stick"};

const char* plural(u32 count) { return count == 1 ? "" : "s"; }

// Which blocks of the set are meant.
using choice = bool (*)(const slot&);
bool all_blocks(const slot&) { return true; }

template <class Belongs>
u32 count_blocks(const volume& v, choice meant, Belongs belongs) {
  u32 blocks = 0;
  for (const slot& s : v.set)
    if (meant(s) && belongs(s)) ++blocks;
  return blocks;
}

// Whose blocks stand in the set: a line for each file that was noted, one for the other files, and
// one for the rest.
void name_files(const volume& v, const char* label, choice meant = all_blocks) {
  u32 told = 0;
  for (const file_note& file : v.files.all()) {
    const u32 count = count_blocks(
        v, meant, [&](const slot& s) { return s.owner == file.inode && s.dev == file.dev; });
    if (count > 0) printk("%s: %s (%u block%s)\n", label, file.path.data(), count, plural(count));
    told += count;
  }
  const u32 of_files = count_blocks(v, meant, [](const slot& s) { return s.owner != ino_nr{}; });
  if (const u32 further = of_files - told)
    printk("%s: %u block%s of further files\n", label, further, plural(further));
  if (const u32 rest = count_blocks(v, meant, all_blocks) - of_files)
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
  if (v.hindrance != obstacle::none) return report_hindrance(v);
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
  const char* const all = v.state == volume_state::degraded ? "" : ", nothing is lost";
  printk("%s is back as %s: %u block%s written in %d.%03d s%s\n", name.data(),
         disk_name(v.disk).data(), blocks, plural(blocks), ms / 1000, ms % 1000, all);
  if (v.state == volume_state::degraded) report_health(v);
}

void report_health(const volume& v) {
  const auto name = describe(v.identity);
  if (v.state == volume_state::live)
    return printk("%s: %s has taken all blocks\n", disk_name(v.disk).data(), name.data());
  const u32 blocks = stuck_blocks(v);
  printk("%s: %s does not take %u block%s: kept here, and tried again\n", disk_name(v.disk).data(),
         name.data(), blocks, plural(blocks));
  name_files(v, "Kept", is_stuck);
}

void report_hindrance(const volume& v) {
  const auto name = describe(v.identity);
  const u32 blocks = held_blocks(v);
  const bool locked = v.hindrance == obstacle::write_protected;
  if (blocks == 0) return printk("%s cannot be read\n", name.data());
  printk("%s %s, and %u block%s wait%s for it%s\n", name.data(),
         locked ? "is write-protected" : "cannot be read", blocks, plural(blocks),
         blocks == 1 ? "s" : "", locked ? ": unlock it and plug it again" : "");
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
  const bool conflict = v.state == volume_state::conflict;
  const char* const why = conflict ? reasons[static_cast<u8>(v.reason)]
                          : v.hindrance == obstacle::write_protected ? "is write-protected"
                          : v.hindrance == obstacle::unreadable      ? "cannot be read"
                          : away(v)                                  ? "is away"
                                                                     : "cannot be written";
  if (blocks == 0)
    return printk("The machine stays on: %s %s, and %s\n", name.data(), why,
                  away(v) ? "a program is writing to it" : "a change waits for it");
  printk("The machine stays on: %s %s, and %u block%s wait%s for it\n", name.data(), why, blocks,
         plural(blocks), blocks == 1 ? "s" : "");
  name_files(v, "Waiting");
}

void report_conflict(const volume& v, const block_device& device) {
  constexpr std::array why{"was changed elsewhere while it was away",
                           "was formatted anew while it was away, or is another stick",
                           "may be the missing stick or another one that is as empty"};
  const auto name = disk_name(v.disk);
  printk("%s %s: nothing is written to it. ", describe(device.identity).data(),
         why[static_cast<u8>(v.reason)]);
  if (v.reason != doubt::formatted) printk("`ckpt force %s` writes our blocks, ", name.data());
  printk("`ckpt keep %s` gives %s up\n", name.data(),
         v.reason == doubt::formatted ? "our blocks" : "them");
  name_files(v, "Ours");
}

void report_stranger(const volume& v, const block_device& device, const char* difference) {
  const auto missed_one = describe(v.identity);
  printk("%s is not the missing %s: its %s\n", describe(device.identity).data(), missed_one.data(),
         difference);
}

}  // namespace checkpoint
