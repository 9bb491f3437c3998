// The super_block table (in the book's super.c).
#include "fs/super.h"

#include <algorithm>

#include "fs/checkpoint/checkpoint.h"
#include "hal/log.h"
#include "hal/panic.h"

namespace {

constinit std::array<super_block, NR_SUPER> super_blocks{};
constexpr u32 MAX_COMPLAINTS = 20;

}  // namespace

void super_use::end() {
  if (--sb_->s_users == 0) wake_up(sb_->s_wait);
}

super_block* get_super(dev_id dev) {
  const auto found = std::ranges::find(super_blocks, dev, &super_block::s_dev);
  return dev && found != super_blocks.end() ? &*found : nullptr;
}

std::span<super_block> all_super_blocks() { return super_blocks; }

void complain(super_block& sb, const char* what, u32 number) {
  if (checkpoint::dead(sb.s_dev)) return;  // every read fails: no sign of damage
  if (sb.s_complaints++ >= MAX_COMPLAINTS) return;
  printk("%s: damaged file system: %s (%u)\n", sb.s_device.data(), what, number);
}
