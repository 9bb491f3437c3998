#include "tests/sim/medium.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "hal/clock.h"
#include "hal/panic.h"
#include "tests/sim/scheduler.h"
#include "tests/sim/sim_disk.h"
#include "tests/sim/world_state.h"

namespace sim {
namespace {

template <size_t Size>
void set_text(std::array<char, Size>& to, std::string_view text) {
  to.fill('\0');
  std::copy_n(text.begin(), std::min(text.size(), Size - 1), to.begin());
}

std::vector<const medium*>& all_media() {
  static std::vector<const medium*> all;
  return all;
}

}  // namespace

const medium* medium::plugged_as(const media_identity& identity) {
  const medium* found = nullptr;
  for (const medium* each : all_media()) {
    const bool is_like_it =
        each->identity.serial == identity.serial && each->identity.sectors == identity.sectors;
    if (!each->plugged() || !is_like_it) continue;
    if (found) return nullptr;
    found = each;
  }
  return found;
}

const char* name_of(step_kind kind) {
  constexpr const char* names[step_kinds] = {
      "command",        "sector",          "flushed",        "status",
      "read",           "register_before", "register_after", "doorbell_before",
      "doorbell_after", "trb_fetch",       "packet_before",  "packet_after",
      "event_before",   "event_after",     "port_reset",     "mask"};
  return names[static_cast<u8>(kind)];
}

namespace {

// What a medium has in its first sector when it is sold: enough to tell one model from another.
std::vector<byte> as_sold(u32 sectors, const char* serial) {
  std::vector<byte> content(size_t{sectors} * SECTOR_SIZE);
  for (size_t i = 0; serial[i] && i < 32 && !content.empty(); ++i)
    content[i + 8] = static_cast<byte>(serial[i]);
  return content;
}

}  // namespace

medium::medium(u32 sectors, const char* serial) : medium(as_sold(sectors, serial), serial) {}

medium::medium(std::vector<byte> image, const char* serial) : bytes_(std::move(image)) {
  identity.vendor_id = 0x46F4;
  identity.product_id = 0x0001;
  set_text(identity.vendor, "SIM");
  set_text(identity.product, "STICK");
  set_text(identity.serial, serial);
  identity.sectors = static_cast<u32>(bytes_.size() / SECTOR_SIZE);
  all_media().push_back(this);
}

// Inside the world that uses it, it is pulled first.
medium::~medium() {
  std::erase(all_media(), this);
  if (!inside_world() || state_here().stopped || (!plugged_ && disks_.empty())) return;
  kassert(state_here().current);  // otherwise it must be made before the world
  if (plugged_) pull();
  const instant deadline = now() + 100_s;
  while (!disks_.empty() && now() < deadline) sleep_for(1_ms);
  check();
}

void medium::plug() {
  kassert(!plugged_);
  plugged_ = true;
  ++plugs_;
  disks_.push_back(std::make_unique<sim_disk>(*this));
  current_ = disks_.back().get();
  current_->start();
}

void medium::plug(outlet& into) {
  kassert(!plugged_);
  plugged_ = true;
  ++plugs_;
  outlet_ = &into;
  into.connect(*this);
}

void medium::pull(pull_style style) {
  kassert(plugged_);
  plugged_ = false;
  if (on_pull) on_pull();
  lose_cache(style.loss);
  if (outlet* from = std::exchange(outlet_, nullptr)) return from->disconnect(*this);
  std::exchange(current_, nullptr)->disconnect();
}

block_device& medium::device() const {
  kassert(current_);
  return *current_;
}

void medium::pull_at(u64 step, pull_style style) {
  pull_step_ = step;
  planned_style_ = style;
}

bool medium::step(step_kind kind, const void* place) {
  if (!plugged_) return false;
  trace_.push_back({kind, phase ? phase() : u8{0}, place});
  if (trace_.size() != pull_step_) return false;
  pull(planned_style_);
  return true;
}

bool medium::write_sector(u32 number, const sector& content) {
  if (!step(step_kind::sector)) {
    cache_[number].push_back(content);
    return true;
  }
  tear(number, content, planned_style_.sector);
  return false;
}

// The sectors become durable in any order. There is a step after each.
bool medium::flush() {
  if (flush_lies) return true;
  std::vector<u32> numbers;
  for (const auto& [number, versions] : cache_) numbers.push_back(number);
  std::shuffle(numbers.begin(), numbers.end(), random());
  for (u32 number : numbers) {
    write_durably(number, cache_[number].back());
    cache_.erase(number);
    if (step(step_kind::flushed)) return false;
  }
  return true;
}

medium::sector medium::newest(u32 number) const {
  if (const auto cached = cache_.find(number); cached != cache_.end()) return cached->second.back();
  sector content;
  std::memcpy(content.data(), bytes_.data() + size_t{number} * SECTOR_SIZE, SECTOR_SIZE);
  return content;
}

void medium::write_durably(u32 number, const sector& content) {
  std::memcpy(bytes_.data() + size_t{number} * SECTOR_SIZE, content.data(), SECTOR_SIZE);
}

// For each sector, any version since the last flush may have become durable, or none.
void medium::lose_cache(cache_loss loss) {
  for (const auto& [number, versions] : cache_) {
    const u64 lost = loss == cache_loss::none  ? 0
                     : loss == cache_loss::all ? versions.size()
                                               : random_below(versions.size() + 1);
    if (lost < versions.size()) write_durably(number, versions[versions.size() - 1 - lost]);
  }
  cache_.clear();
}

void medium::tear(u32 number, const sector& content, in_flight how) {
  if (how == in_flight::old_content) return;
  const size_t arrived = how == in_flight::new_content ? SECTOR_SIZE : random_below(SECTOR_SIZE);
  std::memcpy(bytes_.data() + size_t{number} * SECTOR_SIZE, content.data(), arrived);
}

std::vector<byte> medium::content() const {
  std::vector<byte> all = bytes_;
  for (const auto& [number, versions] : cache_)
    std::memcpy(all.data() + size_t{number} * SECTOR_SIZE, versions.back().data(), SECTOR_SIZE);
  return all;
}

u32 medium::count(block_command cmd) const {
  return static_cast<u32>(
      std::count_if(log_.begin(), log_.end(), [&](const auto& entry) { return entry.cmd == cmd; }));
}

void medium::end_trouble() {
  if (!plugged_ && disks_.empty()) return;
  before_audit_ = looks{bytes_, cache_, log_, trace_};
  fault = nullptr;
  phase = nullptr;
  flush_lies = false;
  pull_step_ = 0;
}

void medium::unplug() {
  if (plugged_) pull();
}

void medium::check() {
  if (!disks_.empty()) left_behind("a disk whose driver has not ended: it is referred to");
}

void medium::put_back() {
  if (!before_audit_) return;
  bytes_ = std::move(before_audit_->bytes);
  cache_ = std::move(before_audit_->cache);
  log_ = std::move(before_audit_->log);
  trace_ = std::move(before_audit_->trace);
  before_audit_.reset();
}

void medium::forget(sim_disk& disk) {
  disks_.remove_if([&](const auto& each) { return each.get() == &disk; });
}

}  // namespace sim
